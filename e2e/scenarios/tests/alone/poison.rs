//! Events that cannot be applied are parked with their order, and other orders are not affected.

use contracts::{EventType, OrderId};
use event::EventType as _;
use scenarios::{NewOrder, PATIENCE, Visitor, services, until};
use serde_json::Value;
use store::{Db, DbKind};
use tokio::time::timeout;
use uuid::Uuid;

const ORDERS: i64 = 1_000;

/// Payment's database refuses the rows of one order, as if its schema had a mistake. Later the schema is corrected.
pub(crate) async fn one_order_in_a_thousand_is_parked_and_ends_after_the_replay(visitor: Visitor) {
    let suite = visitor.suite();
    let sku = visitor.product(ORDERS).await;
    suite.stop_program("payment").await;
    visitor.place_all((0..ORDERS).map(|_| NewOrder::of(&sku)).collect(), |_| {}).await;
    let poisoned = visitor.accepted()[500];
    let db = suite.database("payment").await;
    refuse(&db, poisoned).await;
    suite.start_program("payment").await;

    for order in visitor.accepted().into_iter().filter(|order| *order != poisoned) {
        visitor.until_ended(order, "completed").await;
    }
    let (code, said) = suite.run_quintet(&["dead-letters", "list"]).await;
    assert_eq!(code, Some(0));
    let queues = said[0]["payment"]["queues"].as_array().expect("a list");
    assert_eq!((queues.len(), &queues[0]["id"]), (1, &poisoned.to_string().into()), "{said:?}");
    assert_eq!(said[0]["payment"]["groups"][0]["cause"], "refused", "{said:?}");
    assert_eq!(parked(&visitor, poisoned).await, ["OrderPlaced", "StockReserved"]);
    let (_, report) = suite.audit("3s").await;
    assert!(report.to_string().contains("parked 1"), "{report}");

    // As long as the schema is wrong, a replay only counts one more attempt.
    let order = poisoned.to_string();
    let (code, said) = suite.run_quintet(&["dead-letters", "replay", &order]).await;
    assert_eq!((code, &said[0]["queues"][0]["outcome"]), (Some(1), &"parked".into()), "{said:?}");
    assert_eq!(dead_letters(&visitor, poisoned).await[0]["attempts"], 2);
    accept(&db).await;
    db.close().await;
    let (code, said) = suite.run_quintet(&["dead-letters", "replay", &order]).await;
    assert_eq!((code, &said[0]["queues"][0]["outcome"]), (Some(0), &"applied".into()), "{said:?}");
    visitor.until_ended(poisoned, "completed").await;
    visitor.assert_sound().await;
}

/// The types of an order's dead letters in payment, which wait in the order of their arrival, the first of
/// them for what the database said.
async fn parked(visitor: &Visitor, order: OrderId) -> Vec<String> {
    let dead_letters = dead_letters(visitor, order).await;
    let first = dead_letters[0].to_string();
    assert!(first.contains("mistake"), "{first}");
    assert_eq!(dead_letters[0]["attempts"], 1);
    assert_eq!(dead_letters[0]["key"], order.to_string());
    assert_eq!(
        (&dead_letters[1]["attempts"], &dead_letters[1]["cause"]),
        (&0.into(), &"behind".into())
    );
    let mut types: Vec<String> = dead_letters
        .iter()
        .map(|dead_letter| dead_letter["event_type"].as_str().expect("a type").to_owned())
        .collect();
    types.sort();
    types
}

async fn dead_letters(visitor: &Visitor, order: OrderId) -> Vec<Value> {
    let (code, said) =
        visitor.suite().run_quintet(&["dead-letters", "show", &order.to_string()]).await;
    assert_eq!(code, Some(0));
    said[0]["payment"]["dead_letters"].as_array().expect("a list").clone()
}

async fn refuse(db: &Db, order: OrderId) {
    let statement = match db.kind() {
        DbKind::Postgres => format!(
            "alter table payment add constraint mistake check (order_id <> '{order}'::uuid)"
        ),
        DbKind::Sqlite => format!(
            "create trigger mistake before insert on payment when new.order_id = x'{}' \
             begin select raise(abort, 'mistake'); end",
            Uuid::from(order).simple()
        ),
    };
    execute(db, &statement).await;
}

async fn accept(db: &Db) {
    execute(
        db,
        match db.kind() {
            DbKind::Postgres => "alter table payment drop constraint mistake",
            DbKind::Sqlite => "drop trigger mistake",
        },
    )
    .await;
}

async fn execute(db: &Db, statement: &str) {
    let mut tx = db.begin().await.expect("a transaction");
    tx.execute(statement, Vec::new()).await.expect("the statement is valid");
    tx.commit().await.expect("the change is committed");
}

/// The record cannot be decoded and names no order.
pub(crate) async fn a_record_that_cannot_be_decoded_is_parked_until_it_is_discarded(
    visitor: Visitor,
) {
    let suite = visitor.suite();
    let sku = visitor.product(1).await;
    let stray = bus::Outgoing {
        topic: EventType::PaymentCaptured.topic().to_owned(),
        key: "no order".to_owned(),
        headers: [("ce_type", EventType::PaymentCaptured.as_str())].into_iter().collect(),
        value: b"{".to_vec(),
    };
    let mut producer = suite.bus().await.producer().await.expect("a producer");
    let published = timeout(PATIENCE, producer.publish(&[stray])).await.expect("in time");
    assert!(published.error.is_none(), "{:?}", published.error);
    let queue = until("it is parked", async || {
        let (_, said) = suite.run_quintet(&["dead-letters", "list", "--service", "shipping"]).await;
        said[0]["shipping"]["queues"][0]["id"].as_str().map(ToOwned::to_owned)
    })
    .await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(order, "completed").await;

    for service in services() {
        suite.run_quintet(&["dead-letters", "discard", &queue, "--service", service]).await;
    }
    let (code, _) = suite.run_quintet(&["dead-letters", "show", &queue]).await;
    assert_eq!(code, Some(1), "the record is still parked");
    visitor.assert_sound().await;
}
