//! `POST /orders`: takes an order.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use quintet::{
    App,
    http::{Body, Idempotency, Problem, TraceContext, Wrong},
    uuid_v7,
};

use super::{OrderView, new_order::NewOrder};
use crate::{Command, OrderService, PlaceOrder, Refusal, Reply, WrongLine};

/// Seconds after which a customer with too many open orders may try again.
const OPEN_ORDERS_RETRY: u32 = 60;

/// Takes an order. It is accepted once this answers; its end shows in `GET /orders/{id}`.
#[utoipa::path(post, path = "/orders", operation_id = "place_order", tag = "orders",
    params(Idempotency),
    request_body(content = NewOrder, example = json!({
        "customer": { "email": "ada@example.com" },
        "items": [{ "sku": "mug", "quantity": 2 }],
        "shipping_address": { "name": "Ada", "street": "Ring 1", "city": "Wien",
            "postal_code": "1010", "country": "AT" },
        "payment": { "token": "tok_ok" },
    })),
    responses((status = 202, description = "The order is accepted.", body = OrderView,
        headers(("Location" = String, description = "Where the order is.")),
        links(
            ("order" = (operation_id = "get_order",
                parameters(("id" = "$response.body#/id")))),
            ("events" = (operation_id = "get_order_events",
                parameters(("id" = "$response.body#/id")))),
            ("cancellation" = (operation_id = "cancel_order",
                parameters(("id" = "$response.body#/id")))),
        )),
        (status = 429, description = "Too many requests are waiting, or the customer has too many \
            open orders: send it again after `Retry-After` seconds.")),
)]
pub(super) async fn handle(
    State(app): State<App<OrderService>>,
    key: Idempotency,
    TraceContext(trace): TraceContext,
    Body { value: order, fingerprint }: Body<NewOrder>,
) -> Result<Response, Problem> {
    let command = Command::Place(Box::new(PlaceOrder {
        order_id: uuid_v7(&*app.clock, &*app.random).into(),
        customer: order.customer,
        items: order.items,
        shipping_address: order.shipping_address,
        payment: order.payment,
    }));
    match app.commands.send(command, key.key("POST /orders", fingerprint), trace).await? {
        Reply::Order(mut order) => {
            order.complete();
            let location = [(header::LOCATION, format!("/orders/{}", order.order.id))];
            Ok((StatusCode::ACCEPTED, location, Json(order)).into_response())
        }
        Reply::Refused(Refusal::Lines(mut wrong)) => {
            let is_unknown = |wrong: &WrongLine| matches!(wrong, WrongLine::UnknownSku { .. });
            if wrong.iter().any(is_unknown)
                && !app.engine.participant().price_list.is_read(&app).await?
            {
                wrong.retain(|wrong| !is_unknown(wrong));
            }
            Err(refused(&wrong, &app.engine.participant().products_url))
        }
        Reply::Refused(Refusal::TooManyOpen { most }) => Err(too_many_open(most)),
        Reply::Unknown | Reply::Ended(_) => Err(quintet::CommandError::Failed.into()),
    }
}

/// The product may be among those of which nothing was heard yet.
fn unread() -> Problem {
    let detail = "not all products are known here yet; send the order again in a moment, under the same \
                  Idempotency-Key. If it stays so, no product is listed, or the broker is away";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
}

/// Refused for these lines; for now if none is left.
fn refused(wrong: &[WrongLine], products_url: &str) -> Problem {
    if wrong.is_empty() {
        return unread();
    }
    Problem::fields(wrong.iter().map(|wrong| field(wrong, products_url)).collect())
}

fn field(wrong: &WrongLine, products_url: &str) -> Wrong {
    let (line, name, detail) = match wrong {
        WrongLine::UnknownSku { line, sku } => {
            let listed = match products_url {
                "" => "GET /products of the inventory service",
                url => url,
            };
            (line, "sku", format!("names no product: there is no {sku}; {listed} lists them all"))
        }
        WrongLine::MixedCurrencies { line } => {
            let detail =
                "has a price in another currency than the lines before; order it separately";
            (line, "sku", detail.to_owned())
        }
        WrongLine::TooExpensive { line } => {
            let detail = "makes the order cost more than can be paid; order less";
            (line, "quantity", detail.to_owned())
        }
    };
    Wrong { pointer: format!("/items/{line}/{name}"), detail }
}

fn too_many_open(most: i64) -> Problem {
    let detail = format!(
        "has {most} open orders, the most that are taken; wait until one ends, or cancel one"
    );
    Problem::too_many("/customer/email", &detail).retry_after(OPEN_ORDERS_RETRY)
}
