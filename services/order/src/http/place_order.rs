//! `POST /orders`: places an order.

use axum::{extract::State, http::StatusCode};
use quintet::{
    App,
    http::{Body, CommandResponse, Idempotency, Problem, TraceContext, Wrong},
    uuid_v7,
};

use super::{OrderView, new_order::NewOrder, reply::accepted};
use crate::{Command, OrderService, PlaceOrder, Refusal, Reply, WrongLine};

/// Seconds after which a customer with too many open orders may try again.
const OPEN_ORDERS_RETRY: u32 = 60;

/// Places an order. The order is accepted once this is answered; `GET /orders/{id}` shows how it ended.
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
        headers(("Location" = String, description = "The address of the order.")),
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
) -> Result<CommandResponse, Problem> {
    let command = Command::Place(Box::new(PlaceOrder {
        order_id: uuid_v7(&*app.clock, &*app.random).into(),
        customer: order.customer,
        items: order.items,
        shipping_address: order.shipping_address,
        payment: order.payment,
    }));
    match app.commands.send(command, key.key("POST /orders", fingerprint), trace).await? {
        Reply::Order(order) => Ok(accepted(&order)),
        Reply::Repeat(response) => Ok(response),
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

/// The ordered product may be one that is listed but has not been read from the broker yet.
fn unread() -> Problem {
    let detail = "not all products are known here yet; send the order again in a moment, under the same \
                  Idempotency-Key. If it stays so, no product is listed, or the broker is away";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1)
}

/// The refusal of an order with these wrong lines. Without any, the lines named products that may still become known.
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
