use std::collections::BTreeSet;

use contracts::{Address, Customer, Item, PaymentMethod, Sku};
use quintet::{
    App,
    http::{Field, FromJson, invisible_class, is_visible, text_schema},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Array, ArrayBuilder, ObjectBuilder, Type},
};

use crate::OrderService;

/// The most lines in an order.
const MOST_LINES: usize = 100;
/// The highest limit that can be configured for the pieces in a line.
pub(crate) const MOST_PIECES: i64 = 100_000_000;
/// The longest e-mail address, in characters: RFC 5321 §4.5.3.1.3.
const LONGEST_EMAIL: usize = 254;
/// The longest of all other texts, in characters.
const LONGEST_TEXT: usize = 200;

/// An order to be taken.
#[derive(Debug, ToSchema)]
pub(super) struct NewOrder {
    /// The customer.
    #[schema(schema_with = customer)]
    pub(super) customer: Customer,
    /// What is ordered: each SKU once, all prices in one currency.
    #[schema(schema_with = items)]
    pub(super) items: Vec<Item>,
    /// Where the order is shipped to.
    #[schema(schema_with = address)]
    pub(super) shipping_address: Address,
    /// How the order is paid.
    #[schema(schema_with = payment)]
    pub(super) payment: PaymentMethod,
}

impl FromJson<App<OrderService>> for NewOrder {
    fn read(body: &Field<'_>, app: &App<OrderService>) -> Option<Self> {
        let most = app.engine.participant().policy.quantity;
        let customer = Customer { email: read_email(&body.at("customer").at("email")) };
        let items = read_items(&body.at("items"), most);
        let address = body.at("shipping_address");
        let text = |name| address.at(name).text(LONGEST_TEXT);
        let shipping_address = Address {
            name: text("name"),
            street: text("street"),
            city: text("city"),
            postal_code: text("postal_code"),
            country: text("country"),
        };
        let payment = PaymentMethod { token: body.at("payment").at("token").text(LONGEST_TEXT) };
        Some(Self { customer, items: items?, shipping_address, payment })
    }
}

fn read_email(field: &Field<'_>) -> String {
    let email = field.text(LONGEST_EMAIL);
    field.must(
        is_email(&email),
        "must be an e-mail address: name@host, without blanks and invisible characters",
    );
    email
}

/// `most` is the most pieces that a line may have.
fn read_items(field: &Field<'_>, most: i64) -> Option<Vec<Item>> {
    let mut known = BTreeSet::new();
    let mut items = Vec::new();
    for line in field.list(1..=MOST_LINES) {
        let sku: Option<Sku> = line.at("sku").parsed(Sku::RULE);
        let first = sku.as_ref().is_none_or(|sku| known.insert(sku.clone()));
        let repeated = "stands in an earlier line too; add the quantities up in one line";
        line.at("sku").must(first, repeated);
        let quantity = line.at("quantity").integer(1..=most);
        items.push(sku.map(|sku| Item { sku, quantity }));
    }
    // Collected only now: the loop has reported the faults of every line, not only of the first wrong one.
    items.into_iter().collect()
}

/// Checks only the form of an address: whether it exists is known to its mail server alone.
fn is_email(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        && text.chars().all(is_visible)
}

// The rules above as OpenAPI schemas.

fn customer() -> ObjectBuilder {
    let invisible = invisible_class();
    let email = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(LONGEST_EMAIL))
        .pattern(Some(format!("^[^{invisible}]+@[^@{invisible}]+$")))
        .description(Some("Where mail goes."));
    let customer = ObjectBuilder::new().property("email", email).required("email");
    customer.description(Some("The customer who orders."))
}

fn items() -> Array {
    let quantity = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(MOST_PIECES))
        .description(Some("How many pieces; the service may be set to take fewer."));
    let item = ObjectBuilder::new()
        .property("sku", Sku::schema())
        .required("sku")
        .property("quantity", quantity)
        .required("quantity");
    let items = ArrayBuilder::new().items(item).min_items(Some(1)).max_items(Some(MOST_LINES));
    items.description(Some("What: each SKU once, all in one currency.")).build()
}

fn address() -> ObjectBuilder {
    let fields = ["name", "street", "city", "postal_code", "country"];
    let address = ObjectBuilder::new().description(Some("Where it goes."));
    fields.into_iter().fold(address, |address, field| {
        address.property(field, text_schema(LONGEST_TEXT)).required(field)
    })
}

fn payment() -> ObjectBuilder {
    let payment = ObjectBuilder::new().description(Some("What pays."));
    payment.property("token", text_schema(LONGEST_TEXT)).required("token")
}
