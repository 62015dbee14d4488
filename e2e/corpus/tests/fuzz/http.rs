//! Fuzzes the public routes of all services: every route that a service describes gets valid, nearly valid and
//! random requests. Every request is answered, never with a 5xx, and a refusal is a problem that names what is
//! wrong.

use contracts::Event;
use std::{cell::RefCell, collections::BTreeSet, fs, path::Path};

use axum::{
    body::Body,
    http::{Method, Request},
};
use choreography::ORDER;
use corpus::Record;
use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use proptest::prelude::*;
use proptest::strategy::Union;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use service::Service;
use shipping::ShippingService;
use testkit::{Database, databases};
use tokio::runtime::Runtime;

use crate::request::{Operation, Sent};
use crate::rig::{Answered, Rig};

/// A valid body for an operation.
fn body(operation: &str) -> Value {
    match operation {
        "place_order" => json!({
            "customer": { "email": "ada@example.com" },
            "items": [{ "sku": "mug", "quantity": 2 }],
            "shipping_address": { "name": "Ada", "street": "Ring 1", "city": "Wien",
                "postal_code": "1010", "country": "AT" },
            "payment": { "token": "tok_ok" },
        }),
        "put_product" => json!({ "name": "Mug",
            "price": { "amount_minor": 1298, "currency": "EUR" } }),
        "add_stock" => json!({ "quantity": 1 }),
        other => panic!("no valid body is known for {other}"),
    }
}

fn valid(method: Method, uri: &str, body: &Value) -> Request<Body> {
    let headers = vec![
        ("content-type", b"application/json".to_vec()),
        ("idempotency-key", b"setup".to_vec()),
    ];
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
    Sent { method, uri: uri.to_owned(), headers, body }.request()
}

/// A service with some rows, and their ids.
async fn open<S: Service<Contract = Event> + Default>(database: Database) -> (Rig, Vec<String>) {
    let rig = Rig::open::<S>(database).await;
    let mut ids = vec!["mug".to_owned(), ORDER.to_string()];
    match S::NAME {
        "order" => {
            let mug = "insert into product (sku, name, price_minor, currency, version) \
                       values ('mug', 'Mug', 1298, 'EUR', 1), ('book', 'Book', 2000, 'USD', 1)";
            let mut tx = rig.db.begin().await.unwrap();
            tx.execute(mug, Vec::new()).await.unwrap();
            tx.commit().await.unwrap();
            let placed = rig.ask(valid(Method::POST, "/orders", &body("place_order"))).await;
            assert_eq!(placed.status, 202, "{placed:?}");
            ids.push(placed.json["id"].as_str().unwrap().to_owned());
        }
        "inventory" => {
            let put = rig.ask(valid(Method::PUT, "/products/mug", &body("put_product"))).await;
            assert_eq!(put.status, 201, "{put:?}");
        }
        _ => {}
    }
    (rig, ids)
}

/// Checks what must hold for any response.
fn check(sent: &Sent, answered: &Answered) -> Result<(), TestCaseError> {
    let Answered { status, content_type, json } = answered;
    prop_assert!(*status < 500 && *status != 429, "{sent:?}: {answered:?}");
    if *status < 400 {
        return Ok(());
    }
    prop_assert_eq!(content_type, "application/problem+json", "{:?}: {:?}", sent, answered);
    prop_assert_eq!(&json["status"], &json!(*status));
    let detail = json["detail"].as_str().unwrap_or_default();
    prop_assert!(!detail.is_empty(), "{sent:?}: {answered:?}");
    if *status == 422 && !detail.contains("Idempotency-Key") {
        let errors = json["errors"].as_array().map_or(0, Vec::len);
        prop_assert!(errors > 0, "{sent:?}: {answered:?}");
    }
    Ok(())
}

fn fuzz<S: Service<Contract = Event> + Default>() {
    let runtime = Runtime::new().unwrap();
    for database in runtime.block_on(databases()) {
        let (rig, ids) = runtime.block_on(open::<S>(database));
        let description =
            runtime.block_on(rig.ask(valid(Method::GET, "/openapi.json", &Value::Null)));
        let operations = Operation::all(&description.json, body);
        assert!(operations.len() >= 4, "{operations:?}");
        let requests = Union::new(operations.iter().map(|operation| operation.requests(&ids)));
        // Failing cases are stored beside this file.
        let config = Config { source_file: Some(file!()), ..Config::default() };
        let mut runner = TestRunner::new(config);
        let seen = RefCell::new(BTreeSet::new());
        let outcome = runner.run(&requests, |sent| {
            let answered = runtime.block_on(rig.ask(sent.request()));
            seen.borrow_mut().insert(answered.status / 100);
            check(&sent, &answered)
        });
        outcome.unwrap_or_else(|error| panic!("{}: {error}", S::NAME));
        // The requests were neither all accepted nor all refused.
        assert_eq!(seen.into_inner(), BTreeSet::from([2, 4]), "{}", S::NAME);
        // The service still works.
        let ready = runtime.block_on(rig.ask(valid(Method::GET, "/health/ready", &Value::Null)));
        assert_eq!(ready.status, 200, "{ready:?}");
    }
}

#[test]
fn order_answers_every_request() {
    fuzz::<OrderService>();
}

#[test]
fn inventory_answers_every_request() {
    fuzz::<InventoryService>();
}

#[test]
fn payment_answers_every_request() {
    fuzz::<PaymentService>();
}

#[test]
fn shipping_answers_every_request() {
    fuzz::<ShippingService>();
}

#[test]
fn notification_answers_every_request() {
    fuzz::<NotificationService>();
}

/// Plays the files of `fuzz/http`, which have the form of records. The header `request` is the method and target;
/// `expects` is the status and a text that the response must contain.
#[tokio::test(flavor = "multi_thread")]
async fn every_stored_request_is_answered_as_expected() {
    seeds::<OrderService>().await;
    seeds::<InventoryService>().await;
    seeds::<PaymentService>().await;
}

async fn seeds<S: Service<Contract = Event> + Default>() {
    let (rig, ids) = open::<S>(Database::in_memory().await).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/http").join(S::NAME);
    let mut played = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let record = Record::parse(&fs::read(&path).unwrap());
        let (method, uri) = record.header("request").unwrap().split_once(' ').unwrap();
        let uri = uri.replace("{known}", ids.last().unwrap());
        let mut request = Request::builder().method(method).uri(uri);
        for (name, text) in &record.headers {
            if !["request", "expects"].contains(&name.as_str()) {
                request = request.header(name, text.as_slice());
            }
        }
        let answered = rig.ask(request.body(Body::from(record.value.clone())).unwrap()).await;
        let expects = record.header("expects").unwrap();
        let (status, mentions) = expects.split_once(' ').unwrap_or((expects, ""));
        let name = path.display();
        assert_eq!(answered.status.to_string(), status, "{name}: {answered:?}");
        assert!(answered.json.to_string().contains(mentions), "{name}: {answered:?}");
        played += 1;
    }
    assert!(played > 0, "{}", S::NAME);
}
