//! Each test breaks an invariant in the services' databases or at the providers. The audit finds the invariant, and names the
//! order.

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

/// A completed and a cancelled order, in a suite at rest.
struct EndedOrders {
    sku: Sku,
    completed: OrderId,
    cancelled: OrderId,
}

async fn end_two_orders(visitor: &Visitor) -> EndedOrders {
    let sku = visitor.product(5).await;
    let completed = visitor.place(&NewOrder::of(&sku)).await;
    let cancelled = visitor.place(&NewOrder::of(&sku).unreachable()).await;
    visitor.until_ended(completed, "completed").await;
    visitor.until_ended(cancelled, "cancelled").await;
    visitor.assert_sound().await;
    EndedOrders { sku, completed, cancelled }
}

/// Asserts that the audit exits with 1, and that this invariant has an offence whose field `subject` is `id`. Returns the
/// report.
async fn assert_broken(visitor: &Visitor, invariant: usize, subject: &str, id: &str) -> Json {
    let (code, report) = visitor.suite().audit("10s").await;
    assert_eq!((code, &report["result"]), (Some(1), &"broken".into()), "{report}");
    let broken = &report["invariants"][invariant - 1];
    let (number, holds) = (&broken["number"], &broken["holds"]);
    assert_eq!((number, holds), (&invariant.into(), &false.into()), "{report}");
    let offences = broken["offences"].as_array().expect("a list");
    assert!(offences.iter().any(|offence| offence[subject] == id), "{id} is not named: {report}");
    report
}

async fn assert_broken_for(visitor: &Visitor, invariant: usize, order: OrderId) {
    assert_broken(visitor, invariant, "order", &order.to_string()).await;
}

/// Changes one row in a service's database while the service is stopped.
async fn change_row(visitor: &Visitor, service: &str, sql: &str, values: Vec<Value>) {
    let db = visitor.suite().database(service).await;
    visitor.suite().stop_program(service).await;
    let mut tx = db.begin().await.expect("a transaction");
    let changed = tx.execute(sql, values).await.expect("the statement is valid");
    tx.commit().await.expect("the change is committed");
    db.close().await;
    assert_eq!(changed, 1, "{service} has no such row");
    visitor.suite().start_program(service).await;
}

/// Sends a provider a request that no service has sent.
async fn post_to_provider(visitor: &Visitor, path: &str, body: &Json) {
    let url = format!("{}{path}", visitor.suite().up_json_text("/sandbox/url"));
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = client.request(Method::POST, url).header("idempotency-key", "of the test");
    let answer = visitor.send(request.json(body)).await;
    assert!(answer.status.is_success(), "{path}: {}", answer.body);
}

pub(crate) async fn an_order_that_lost_its_end(visitor: Visitor) {
    let EndedOrders { completed, .. } = end_two_orders(&visitor).await;
    let sql = "update orders set ended = null where order_id = $1";
    change_row(&visitor, "order", sql, vec![completed.into()]).await;
    assert_broken_for(&visitor, 1, completed).await;
}

pub(crate) async fn a_second_capture(visitor: Visitor) {
    let EndedOrders { completed, .. } = end_two_orders(&visitor).await;
    let charge = json!({
        "order_id": completed, "amount_minor": 1298, "currency": "EUR", "token": "tok_ok"
    });
    post_to_provider(&visitor, "/charges", &charge).await;
    assert_broken_for(&visitor, 2, completed).await;
}

pub(crate) async fn a_parcel_for_a_cancelled_order(visitor: Visitor) {
    let EndedOrders { sku, cancelled, .. } = end_two_orders(&visitor).await;
    let address = json!({"name": "Ada", "street": "Ring 1", "city": "Wien",
        "postal_code": "1010", "country": "AT"});
    let items = json!([{"sku": sku, "quantity": 1}]);
    let booking = json!({"order_id": cancelled, "address": address, "items": items});
    post_to_provider(&visitor, "/bookings", &booking).await;
    assert_broken_for(&visitor, 3, cancelled).await;
}

pub(crate) async fn a_lost_reservation(visitor: Visitor) {
    let EndedOrders { sku, completed, .. } = end_two_orders(&visitor).await;
    let sql = "delete from reservation where order_id = $1";
    change_row(&visitor, "inventory", sql, vec![completed.into()]).await;
    assert_broken(&visitor, 4, "sku", sku.as_str()).await;
    assert_broken_for(&visitor, 2, completed).await;
}

pub(crate) async fn a_payment_that_differs_from_the_gateways(visitor: Visitor) {
    let EndedOrders { completed, .. } = end_two_orders(&visitor).await;
    let sql = "update payment set amount_minor = amount_minor - 1 where order_id = $1";
    change_row(&visitor, "payment", sql, vec![completed.into()]).await;
    assert_broken_for(&visitor, 5, completed).await;
}

pub(crate) async fn a_doubled_mail(visitor: Visitor) {
    let EndedOrders { completed, .. } = end_two_orders(&visitor).await;
    let sent = visitor.ledger(completed).await.mails.remove(0);
    let text = format!(
        "Message-ID: <another@quintet>\r\nX-Quintet-Order: {completed}\r\nTo: {}\r\n\
         Subject: {}\r\n\r\nOnce more\r\n.\r\n",
        sent.to, sent.subject
    );
    let address = visitor.suite().up_json_text("/sandbox/smtp");
    let address = address.strip_prefix("smtp://").expect("an SMTP server").to_owned();
    let recipient = format!("RCPT TO:<{}>\r\n", sent.to);
    mail(
        &address,
        &["EHLO test\r\n", "MAIL FROM:<a@b.example>\r\n", &recipient, "DATA\r\n", &text],
    )
    .await;
    assert_broken_for(&visitor, 6, completed).await;
}

/// Sends commands to a mail server, each after a positive reply to the one before.
async fn mail(address: &str, commands: &[&str]) {
    let mut server = BufReader::new(TcpStream::connect(address).await.expect("a mail server"));
    // The server greets first, which is a reply to no command.
    for command in [""].iter().chain(commands) {
        server.write_all(command.as_bytes()).await.expect("the connection is open");
        let mut reply = String::new();
        // The last line of a reply has a space after its code.
        while reply.as_bytes().get(3) != Some(&b' ') {
            reply.clear();
            let read = server.read_line(&mut reply).await.expect("a reply");
            assert!(read > 0, "the server closed the connection after {command:?}");
        }
        assert!(reply.starts_with(['2', '3']), "{command:?}: {reply}");
    }
}

pub(crate) async fn a_stuck_outbox_row(visitor: Visitor) {
    let EndedOrders { completed, .. } = end_two_orders(&visitor).await;
    // Notification forgets the order's end, as if the event had never been published.
    let forget_end = "update notification set ended = null, end_mail = null, state = 'has_address' \
                  where order_id = $1";
    change_row(&visitor, "notification", forget_end, vec![completed.into()]).await;
    let stuck = "insert into outbox (first_event, event_count, events, created_at) \
                 select $1, 1, $2, placed_at from orders where order_id = $3";
    let id = Uuid::from(completed);
    let topic = "no-such-topic";
    let events = json!([{"id": id, "topic": topic, "key": "key", "headers": [], "value": {}}]);
    let values = vec![id.into(), Value::json(&events), completed.into()];
    change_row(&visitor, "order", stuck, values).await;
    let report = assert_broken(&visitor, 7, "service", "order").await;
    assert_eq!(report["invariants"][6]["figures"]["outbox"], 1, "{report}");
    assert_broken_for(&visitor, 1, completed).await;
}

pub(crate) async fn a_bench_exits_as_its_audit_does(visitor: Visitor) {
    let EndedOrders { completed, .. } = end_two_orders(&visitor).await;
    let sql = "update orders set ended = null where order_id = $1";
    change_row(&visitor, "order", sql, vec![completed.into()]).await;
    let small = ["bench", "--running", "--orders=5", "--warm-up=0", "--seconds=0", "--idle=0s"];
    let (code, lines) = visitor.suite().run_quintet(&small).await;
    assert_eq!(code, Some(1), "{lines:?}");
    let run = &lines[0]["runs"][0];
    assert_eq!((&run["audit"]["result"], &run["latency"]), (&"broken".into(), &Json::Null));
    assert_eq!(run["throughput"]["orders"], 5);
}
