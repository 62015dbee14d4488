//! `PUT /products/{sku}`: creates or changes a product.

use axum::extract::State;
use contracts::{Currency, Money, Sku};
use quintet::{
    App,
    http::{Body, CommandResponse, Field, FromJson, Problem, TraceContext, text_schema},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, Type},
};

use super::{SkuPath, reply::response, view::ProductView};
use crate::{Command, InventoryService, PutProduct};

/// The longest name, in characters.
const LONGEST_NAME: usize = 200;
/// The highest price, in minor units.
const HIGHEST_PRICE: i64 = 1_000_000_000;

/// The new name and price of a product.
#[derive(Debug, ToSchema)]
#[schema(as = NewProduct)]
pub(super) struct Product {
    /// The name that customers read.
    #[schema(schema_with = name)]
    name: String,
    /// The price of one piece.
    #[schema(schema_with = price)]
    price: Money,
}

impl<S> FromJson<S> for Product {
    fn read(body: &Field<'_>, _: &S) -> Option<Self> {
        let (name, price) = (body.at("name").text(LONGEST_NAME), body.at("price"));
        let amount_minor = price.at("amount_minor").integer(1..=HIGHEST_PRICE);
        let currency = price.at("currency");
        let currency = currency.parsed("must be the three capitals of ISO 4217, such as EUR");
        Some(Self { name, price: Money { amount_minor, currency: currency? } })
    }
}

fn name() -> ObjectBuilder {
    text_schema(LONGEST_NAME)
}

fn price() -> ObjectBuilder {
    let amount = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(HIGHEST_PRICE))
        .description(Some("How many minor units (cents, for most currencies)."));
    ObjectBuilder::new()
        .description(Some("The price of one piece."))
        .property("amount_minor", amount)
        .required("amount_minor")
        .property("currency", Currency::schema())
        .required("currency")
}

/// Creates a product, or changes its name and price. Accepted orders keep the price at which they were accepted.
#[utoipa::path(put, path = "/products/{sku}", operation_id = "put_product", tag = "products",
    params(("sku" = Sku, Path, description = "The name by which orders refer to it.")),
    request_body(content = Product, example = json!({
        "name": "Mug", "price": { "amount_minor": 1298, "currency": "EUR" },
    })),
    responses(
        (status = 200, description = "It is changed.", body = ProductView),
        (status = 201, description = "It is created.", body = ProductView),
    ),
)]
pub(super) async fn handle(
    State(app): State<App<InventoryService>>,
    SkuPath(sku): SkuPath,
    TraceContext(trace): TraceContext,
    Body { value: Product { name, price }, .. }: Body<Product>,
) -> Result<CommandResponse, Problem> {
    let command = Command::PutProduct(PutProduct { sku, name, price });
    response(app.commands.send(command, None, trace).await?)
}
