//! `GET /orders`: filters and pages.

use contracts::{
    CancelReason, Money, OrderId, PaymentCaptured, PaymentDeclined, ShipmentDispatched,
    StockReserved,
};
use serde_json::Value;

use crate::rig::{Rig, problem, rejected, rigs};

async fn page(rig: &Rig, query: &str) -> (Vec<String>, Value) {
    let answer = rig.get(&format!("/orders?{query}")).await.json::<Value>().await.unwrap();
    let ids = answer["orders"].as_array().unwrap().iter();
    (ids.map(|order| order["id"].as_str().unwrap().to_owned()).collect(), answer["next"].clone())
}

#[tokio::test]
async fn pages_follow_each_other_newest_first() {
    for rig in rigs().await {
        assert_eq!(page(&rig, "").await, (Vec::new(), Value::Null));
        let mut placed = Vec::new();
        for _ in 0..5 {
            placed.push(rig.place().await);
        }
        placed.reverse();
        let (first, next) = page(&rig, "limit=2").await;
        assert_eq!(first, placed[..2]);
        // An order placed meanwhile is on no later page.
        rig.place().await;
        let (second, next) =
            page(&rig, &format!("limit=2&cursor={}", next.as_str().unwrap())).await;
        assert_eq!(second, placed[2..4]);
        let (third, next) = page(&rig, &format!("limit=2&cursor={}", next.as_str().unwrap())).await;
        assert_eq!((third, next), (placed[4..].to_vec(), Value::Null));
        // A page that the last order fills is the last page.
        assert_eq!(page(&rig, "limit=6").await.1, Value::Null);
    }
}

#[tokio::test]
async fn each_status_lists_the_orders_that_have_it() {
    for rig in rigs().await {
        let expected = one_of_each(&rig).await;
        for (status, order) in &expected {
            assert_eq!(
                page(&rig, &format!("status={status}")).await.0,
                std::slice::from_ref(order),
                "{status}"
            );
        }
        let all = rig.get("/orders").await.json::<Value>().await.unwrap();
        assert_eq!(all["orders"].as_array().unwrap().len(), expected.len());
        for listed in all["orders"].as_array().unwrap() {
            let id = listed["id"].as_str().unwrap();
            let mut whole = rig.get(&format!("/orders/{id}")).await.json::<Value>().await.unwrap();
            whole.as_object_mut().unwrap().remove("timeline").expect("a timeline");
            assert_eq!(listed, &whole);
            let (status, _) = expected.iter().find(|(_, order)| order == id).unwrap();
            assert_eq!(listed["status"], *status);
        }
    }
}

/// Six orders, one with each status.
async fn one_of_each(rig: &Rig) -> Vec<(&'static str, String)> {
    let mut orders = Vec::new();
    for status in ["placed", "reserved", "paid", "cancelling", "completed", "cancelled"] {
        let order = rig.place().await;
        let order_id: OrderId = order.parse().unwrap();
        let amount = Money { amount_minor: 1298, currency: contracts::Currency::EUR };
        let (reference, reason) = ("ch_1".to_owned(), "declined".to_owned());
        match status {
            "reserved" => rig.hears(&order, StockReserved { order_id }).await,
            "paid" => rig.hears(&order, PaymentCaptured { order_id, amount, reference }).await,
            "cancelling" => rig.hears(&order, PaymentDeclined { order_id, reason }).await,
            "completed" => {
                let tracking = "tr_1".to_owned();
                rig.hears(&order, ShipmentDispatched { order_id, tracking }).await;
            }
            "cancelled" => {
                rig.hears(&order, rejected(order_id)).await;
                let view = rig.get(&format!("/orders/{order}")).await.json::<Value>().await;
                assert_eq!(view.unwrap()["reason"], CancelReason::OutOfStock.as_str());
            }
            _ => {}
        }
        orders.push((status, order));
    }
    orders
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let rig = Rig::running().await;
    for (query, name) in [
        ("status=shipped", "status"),
        ("status=", "status"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("needs_attention=perhaps", "needs_attention"),
        ("limit=1&limit=2", "limit"),
        ("cursor=", "cursor"),
        ("cursor=next", "cursor"),
        ("cursor=018F3A5C1B2D7C3E8F40112233445566", "cursor"),
        ("stauts=placed", "stauts"),
        ("limit=x&status=foo&cursor=next", "limit,status,cursor"),
        ("limit=0&status=placed&cursor=next", "limit,cursor"),
    ] {
        let expected: Vec<String> = name.split(',').map(ToOwned::to_owned).collect();
        let (status, problem, named) = problem(rig.get(&format!("/orders?{query}")).await).await;
        assert_eq!((status, named), (400, expected), "{query}: {problem}");
    }
}
