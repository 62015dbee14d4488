//! Each invariant is broken behind the services' backs: the audit says which, and names the order.

use contracts::{OrderId, Sku};
use reqwest::Method;
use scenarios::{NewOrder, Visitor};
use serde_json::{Value as Json, json};
use store::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use uuid::Uuid;

/// Two orders that have ended well, in a suite at rest.
struct Ended {
    sku: Sku,
    completed: OrderId,
    cancelled: OrderId,
}

async fn ended(visitor: &Visitor) -> Ended {
    let sku = visitor.product(5).await;
    let completed = visitor.place(&NewOrder::of(&sku)).await;
    let cancelled = visitor.place(&NewOrder::of(&sku).unreachable()).await;
    visitor.until_ended(completed, "completed").await;
    visitor.until_ended(cancelled, "cancelled").await;
    visitor.verdict().await;
    Ended { sku, completed, cancelled }
}

/// The audit ends with 1, this invariant is broken, and this is who offends.
async fn is_found(visitor: &Visitor, invariant: usize, subject: &str, who: &str) -> Json {
    let (code, said) = visitor.suite().audit("10s").await;
    assert_eq!((code, &said["verdict"]), (Some(1), &"broken".into()), "{said}");
    let found = &said["invariants"][invariant - 1];
    assert_eq!((&found["number"], &found["holds"]), (&invariant.into(), &false.into()), "{said}");
    let offences = found["offences"].as_array().expect("a list");
    assert!(offences.iter().any(|offence| offence[subject] == who), "{who} is not named: {said}");
    said
}

async fn order_is_found(visitor: &Visitor, invariant: usize, order: OrderId) {
    is_found(visitor, invariant, "order", &order.to_string()).await;
}

/// Changes one row of a service while it does not run.
async fn behind_its_back(visitor: &Visitor, service: &str, sql: &str, values: Vec<Value>) {
    let db = visitor.suite().database(service).await;
    visitor.suite().stop(service).await;
    let mut tx = db.begin().await.expect("a transaction");
    let changed = tx.execute(sql, values).await.expect("it is changed");
    tx.commit().await.expect("it commits");
    db.close().await;
    assert_eq!(changed, 1, "{service} has nothing to break");
    visitor.suite().begin(service).await;
}

/// Asks something of the outside world that no service asked for.
async fn straight(visitor: &Visitor, path: &str, body: &Json) {
    let url = format!("{}{path}", visitor.suite().says("/sandbox/url"));
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.request(Method::POST, url).header("idempotency-key", "behind their backs");
    let answer = visitor.send(request.json(body)).await;
    assert!(answer.status.is_success(), "{path}: {}", answer.body);
}

pub(crate) async fn an_order_that_lost_its_end(visitor: Visitor) {
    let Ended { completed, .. } = ended(&visitor).await;
    let sql = "update orders set ended = null where order_id = $1";
    behind_its_back(&visitor, "order", sql, vec![completed.into()]).await;
    order_is_found(&visitor, 1, completed).await;
}

pub(crate) async fn a_second_capture(visitor: Visitor) {
    let Ended { completed, .. } = ended(&visitor).await;
    let charge = json!({
        "order_id": completed, "amount_minor": 1298, "currency": "EUR", "token": "tok_ok"
    });
    straight(&visitor, "/charges", &charge).await;
    order_is_found(&visitor, 2, completed).await;
}

pub(crate) async fn a_parcel_for_a_cancelled_order(visitor: Visitor) {
    let Ended { sku, cancelled, .. } = ended(&visitor).await;
    let address = json!({"name": "Ada", "street": "Ring 1", "city": "Wien",
        "postal_code": "1010", "country": "AT"});
    let items = json!([{"sku": sku, "quantity": 1}]);
    let booking = json!({"order_id": cancelled, "address": address, "items": items});
    straight(&visitor, "/bookings", &booking).await;
    order_is_found(&visitor, 3, cancelled).await;
}

pub(crate) async fn a_lost_reservation(visitor: Visitor) {
    let Ended { sku, completed, .. } = ended(&visitor).await;
    let sql = "delete from reservation where order_id = $1";
    behind_its_back(&visitor, "inventory", sql, vec![completed.into()]).await;
    is_found(&visitor, 4, "sku", sku.as_str()).await;
    order_is_found(&visitor, 2, completed).await;
}

pub(crate) async fn a_payment_that_differs_from_the_gateways(visitor: Visitor) {
    let Ended { completed, .. } = ended(&visitor).await;
    let sql = "update payment set amount_minor = amount_minor - 1 where order_id = $1";
    behind_its_back(&visitor, "payment", sql, vec![completed.into()]).await;
    order_is_found(&visitor, 5, completed).await;
}

pub(crate) async fn a_doubled_mail(visitor: Visitor) {
    let Ended { completed, .. } = ended(&visitor).await;
    let sent = visitor.ledger(completed).await.mails.remove(0);
    let text = format!(
        "Message-ID: <another@quintet>\r\nX-Quintet-Order: {completed}\r\nTo: {}\r\n\
         Subject: {}\r\n\r\nOnce more\r\n.\r\n",
        sent.to, sent.subject
    );
    let address = visitor.suite().says("/sandbox/smtp");
    let address = address.strip_prefix("smtp://").expect("an SMTP server").to_owned();
    let recipient = format!("RCPT TO:<{}>\r\n", sent.to);
    mail(
        &address,
        &["EHLO test\r\n", "MAIL FROM:<a@b.example>\r\n", &recipient, "DATA\r\n", &text],
    )
    .await;
    order_is_found(&visitor, 6, completed).await;
}

/// Says this to a mail server, waiting for its consent after each.
async fn mail(address: &str, says: &[&str]) {
    let mut server = BufReader::new(TcpStream::connect(address).await.expect("a mail server"));
    for says in [""].iter().chain(says) {
        server.write_all(says.as_bytes()).await.expect("it listens");
        let mut answer = String::new();
        // The last line of an answer has a space after its code.
        while answer.as_bytes().get(3) != Some(&b' ') {
            answer.clear();
            let read = server.read_line(&mut answer).await.expect("it answers");
            assert!(read > 0, "it hung up on {says:?}");
        }
        assert!(answer.starts_with(['2', '3']), "{says:?}: {answer}");
    }
}

pub(crate) async fn a_stuck_outbox_row(visitor: Visitor) {
    let Ended { completed, .. } = ended(&visitor).await;
    // As if the order's end had never got out: notification knows nothing of it.
    let untold = "update notification set ended = null, end_mail = null, state = 'has_address' \
                  where order_id = $1";
    behind_its_back(&visitor, "notification", untold, vec![completed.into()]).await;
    let stuck = "insert into outbox (first_event, event_count, events, created_at) \
                 select $1, 1, $2, placed_at from orders where order_id = $3";
    let id = Uuid::from(completed);
    let topic = "no-such-topic";
    let events = json!([{"id": id, "topic": topic, "key": "key", "headers": [], "value": {}}]);
    let values = vec![id.into(), Value::json(&events), completed.into()];
    behind_its_back(&visitor, "order", stuck, values).await;
    let said = is_found(&visitor, 7, "service", "order").await;
    assert_eq!(said["invariants"][6]["figures"]["outbox"], 1, "{said}");
    order_is_found(&visitor, 1, completed).await;
}

pub(crate) async fn a_bench_ends_as_its_audit_does(visitor: Visitor) {
    let Ended { completed, .. } = ended(&visitor).await;
    let sql = "update orders set ended = null where order_id = $1";
    behind_its_back(&visitor, "order", sql, vec![completed.into()]).await;
    let small = ["bench", "--running", "--orders=5", "--warm-up=0", "--seconds=0", "--idle=0s"];
    let (code, said) = visitor.suite().ask(&small).await;
    assert_eq!(code, Some(1), "{said:?}");
    let run = &said[0]["runs"][0];
    assert_eq!((&run["audit"]["verdict"], &run["latency"]), (&"broken".into(), &Json::Null));
    assert_eq!(run["throughput"]["orders"], 5);
}
