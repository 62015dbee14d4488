//! Orders past their second deadline: which services they wait for, and since when. The engine fires the deadlines,
//! which are zero here.

use contracts::{
    Currency, Money, OrderId, PaymentCaptured, PaymentDeclined, PaymentVoided, ShipmentVoided,
    StockReleased, StockReserved,
};
use serde_json::{Value, json};
use testkit::eventually;

use crate::rig::{Rig, overdue, rigs};

impl Rig {
    /// Places an order and waits until it needs attention.
    async fn place_overdue(&self) -> (String, OrderId) {
        let order = self.place().await;
        eventually("it needs attention", async || {
            (self.order(&order).await["needs_attention"] == true).then_some(())
        })
        .await;
        let order_id = order.parse().unwrap();
        (order, order_id)
    }

    async fn order(&self, order: &str) -> Value {
        self.get(&format!("/orders/{order}")).await.json().await.unwrap()
    }

    /// The services that an order waits for, and the event since which it does.
    async fn attention(&self, order: &str) -> (Value, Value) {
        let order = self.order(order).await;
        assert_eq!(order["attention"].is_object(), order["needs_attention"].as_bool().unwrap());
        let since = &order["attention"]["since"];
        let timeline = order["timeline"].as_array().unwrap();
        let asked = timeline.iter().find(|entry| entry["at"] == *since);
        let asked = asked.map_or(Value::Null, |entry| entry["event"].clone());
        (order["attention"]["waiting_for"].clone(), asked)
    }

    /// Waits until `/metrics` at this address shows these counts: all orders that need attention, and those that
    /// wait for inventory, payment and shipping. The counts may be a second old.
    async fn await_stuck(&self, url: &str, expected: [&str; 4]) {
        eventually("the orders that are stuck", async || {
            (self.stuck_at(url).await == expected).then_some(())
        })
        .await;
    }

    async fn stuck_at(&self, url: &str) -> [String; 4] {
        let answer = self.http.get(format!("{url}/metrics")).send().await.unwrap();
        let text = answer.text().await.unwrap();
        let stuck = |side: &str| {
            format!("quintet_orders_stuck{{service=\"order\",waiting_for=\"{side}\"}} ")
        };
        let total = "quintet_orders_needing_attention{service=\"order\"} ".to_owned();
        [total, stuck("inventory"), stuck("payment"), stuck("shipping")].map(|series| {
            let line = text.lines().find_map(|line| line.strip_prefix(&*series));
            // The series is left out while the database does not answer in time.
            line.unwrap_or_default().to_owned()
        })
    }

    async fn listed(&self, needs_attention: bool) -> Vec<Value> {
        let list = self.get(&format!("/orders?needs_attention={needs_attention}")).await;
        let list: Value = list.json().await.unwrap();
        list["orders"].as_array().unwrap().iter().map(|order| order["id"].clone()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_that_have_not_answered_are_named_from_the_second_deadline_to_the_end() {
    for rig in overdue().await {
        let (order, order_id) = rig.place_overdue().await;
        let since = json!("OrderCancellationRequested");
        assert_eq!(rig.attention(&order).await, (json!(["shipping"]), since));

        rig.hears(&order, ShipmentVoided { order_id }).await;
        let since = json!("ShipmentVoided");
        let services = json!(["inventory", "payment"]);
        assert_eq!(rig.attention(&order).await, (services, since.clone()));

        rig.hears(&order, StockReleased { order_id }).await;
        assert_eq!(rig.attention(&order).await, (json!(["payment"]), since));

        rig.hears(&order, PaymentVoided { order_id }).await;
        assert_eq!(rig.order(&order).await["status"], "cancelled");
        assert_eq!(rig.attention(&order).await, (Value::Null, Value::Null));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_is_counted_by_every_replica_and_listed() {
    for rig in overdue().await {
        rig.await_stuck(&rig.url, ["0", "0", "0", "0"]).await;
        let (paid, order_id) = rig.place_overdue().await;
        let amount = Money { amount_minor: 1298, currency: Currency::EUR };
        let reference = "ch_1".to_owned();
        rig.hears(&paid, PaymentCaptured { order_id, amount, reference }).await;
        let (declined, order_id) = rig.place_overdue().await;
        let reason = "no cover".to_owned();
        rig.hears(&declined, PaymentDeclined { order_id, reason }).await;
        let (voided, order_id) = rig.place_overdue().await;
        rig.hears(&voided, ShipmentVoided { order_id }).await;
        assert_eq!(rig.attention(&paid).await.0, json!(["shipping"]));
        assert_eq!(rig.attention(&declined).await.0, json!(["inventory"]));

        let expected = ["3", "2", "1", "1"];
        rig.await_stuck(&rig.url, expected).await;
        // The counts are read from the rows: a replica that has applied nothing shows the same.
        rig.await_stuck(&rig.another().await, expected).await;
        assert_eq!(rig.listed(true).await, [voided.clone(), declined.clone(), paid]);
        assert_eq!(rig.listed(false).await, [json!(null); 0]);

        rig.hears(&declined, StockReleased { order_id: declined.parse().unwrap() }).await;
        rig.await_stuck(&rig.url, ["2", "1", "1", "1"]).await;
        assert_eq!(rig.listed(false).await, [declined]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_shows_from_the_start_which_service_is_next() {
    for rig in rigs().await {
        let order = rig.place().await;
        let order_id = order.parse().unwrap();
        let next = async || rig.order(&order).await["waiting_for"].clone();
        assert_eq!(next().await, json!(["inventory"]));
        rig.hears(&order, StockReserved { order_id }).await;
        assert_eq!(next().await, json!(["payment"]));
        let reason = "no cover".to_owned();
        rig.hears(&order, PaymentDeclined { order_id, reason }).await;
        assert_eq!(next().await, json!(["inventory"]));
        rig.hears(&order, StockReleased { order_id }).await;
        assert_eq!(next().await, json!([]));

        let other = rig.place().await;
        let order_id = other.parse().unwrap();
        let amount = Money { amount_minor: 1298, currency: Currency::EUR };
        rig.hears(&other, PaymentCaptured { order_id, amount, reference: "ch_1".to_owned() }).await;
        assert_eq!(rig.order(&other).await["waiting_for"], json!(["shipping"]));
    }
}
