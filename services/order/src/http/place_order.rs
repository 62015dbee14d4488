//! `POST /orders`: takes an order.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use clock::uuid_v7;
use contracts::{Address, Customer, Item, PaymentMethod};
use serde::Deserialize;
use service::{
    App,
    http::{Body, Fields, Idempotency, Problem, TraceContext},
};

use crate::{Command, OrderService, PlaceOrder, Refusal, Reply};

/// Lines of an order.
const MOST_LINES: usize = 100;
/// Pieces of a line.
const MOST_PIECES: i64 = 100_000_000;
/// The longest texts, in characters. An e-mail address: RFC 5321 §4.5.3.1.3.
const LONGEST_EMAIL: usize = 254;
const LONGEST_TEXT: usize = 200;

#[derive(Debug, Deserialize)]
pub(super) struct NewOrder {
    customer: Customer,
    items: Vec<Item>,
    shipping_address: Address,
    payment: PaymentMethod,
}

pub(super) async fn handle(
    State(app): State<App<OrderService>>,
    key: Idempotency,
    TraceContext(trace): TraceContext,
    Body { value: order, hash }: Body<NewOrder>,
) -> Result<Response, Problem> {
    check(&order)?;
    let command = Command::Place(Box::new(PlaceOrder {
        order_id: uuid_v7(&*app.clock, &*app.random).into(),
        customer: order.customer,
        items: order.items,
        shipping_address: order.shipping_address,
        payment: order.payment,
    }));
    match app.commands.send(command, key.key("POST /orders", hash), trace).await? {
        Reply::Order(order) => {
            let location = [(header::LOCATION, format!("/orders/{}", order.id))];
            Ok((StatusCode::ACCEPTED, location, Json(order)).into_response())
        }
        Reply::Refused(refusal) => Err(refused(&refusal)),
        Reply::Unknown | Reply::Ended(_) => Err(engine::CommandError::Failed.into()),
    }
}

fn check(order: &NewOrder) -> Result<(), Problem> {
    let mut fields = Fields::default();
    let email = &order.customer.email;
    fields.at("/customer/email").text(email, LONGEST_EMAIL);
    fields.at("/customer/email").must(is_email(email), "must be an e-mail address: name@host");
    let lines = (1..=MOST_LINES).contains(&order.items.len());
    fields.at("/items").must(lines, &format!("must have 1 to {MOST_LINES} lines"));
    let mut skus = BTreeSet::new();
    for (line, item) in order.items.iter().enumerate() {
        let pieces = (1..=MOST_PIECES).contains(&item.quantity);
        let otherwise = format!("must be 1 to {MOST_PIECES}");
        fields.at(format!("/items/{line}/quantity")).must(pieces, &otherwise);
        let otherwise = "stands in an earlier line too; add the quantities up in one line";
        fields.at(format!("/items/{line}/sku")).must(skus.insert(&item.sku), otherwise);
    }
    let address = &order.shipping_address;
    for (name, text) in [
        ("name", &address.name),
        ("street", &address.street),
        ("city", &address.city),
        ("postal_code", &address.postal_code),
        ("country", &address.country),
    ] {
        fields.at(format!("/shipping_address/{name}")).text(text, LONGEST_TEXT);
    }
    fields.at("/payment/token").text(&order.payment.token, LONGEST_TEXT);
    fields.finish()
}

/// As much as can be said without asking the mail server.
fn is_email(text: &str) -> bool {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty()) && !text.contains(blank)
}

fn refused(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::UnknownSku { line, sku } => {
            let detail = format!("names no product: there is no {sku}; see GET /products");
            Problem::unprocessable(&format!("/items/{line}/sku"), &detail)
        }
        Refusal::MixedCurrencies { line } => Problem::unprocessable(
            &format!("/items/{line}/sku"),
            "has a price in another currency than the lines before; order it separately",
        ),
        Refusal::TooExpensive { line } => Problem::unprocessable(
            &format!("/items/{line}/quantity"),
            "makes the order cost more than can be paid; order less",
        ),
    }
}
