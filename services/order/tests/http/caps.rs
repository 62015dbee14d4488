//! Limits on how much may be ordered.

use futures::future::join_all;
use order::Policy;
use reqwest::StatusCode;
use serde_json::Value;

use crate::rig::{Rig, order, problem, rejected, rigs_with, with};

const MOST: i64 = 3;

async fn rigs() -> Vec<Rig> {
    rigs_with(Policy { open_orders: MOST, quantity: 10, ..Policy::default() }).await
}

/// How many customers have open orders, and how many open orders they have.
async fn counted(rig: &Rig) -> (i64, i64) {
    let rows = rig.db.fetch("select open_orders from customer", Vec::new()).await.unwrap();
    let open = rows.iter().map(|row| row.get::<i64>(0).unwrap());
    (i64::try_from(rows.len()).unwrap(), open.sum())
}

async fn end(rig: &Rig, id: &str) {
    rig.hears(id, rejected(id.parse().unwrap())).await;
}

#[tokio::test]
async fn a_line_has_no_more_pieces_than_the_limit() {
    for rig in rigs().await {
        let refused = rig.post(&with("/items/0/quantity", 11)).await;
        let (status, problem, named) = problem(refused).await;
        assert_eq!((status, named), (422, vec!["/items/0/quantity".to_owned()]));
        assert!(
            problem["detail"].as_str().unwrap().contains("must be a whole number, 1 to 10"),
            "{problem}"
        );
        let taken = rig.post(&with("/items/0/quantity", 10)).await;
        assert_eq!(taken.status(), StatusCode::ACCEPTED);
        assert_eq!(counted(&rig).await, (1, 1), "a refused order does not count");
    }
}

#[tokio::test]
async fn a_customer_has_no_more_open_orders_than_the_limit() {
    for rig in rigs().await {
        let mut placed = Vec::new();
        for email in ["ada@example.com", "ADA@Example.com", "\"ada\"@example.com."] {
            let taken = rig.post(&with("/customer/email", email)).await;
            assert_eq!(taken.status(), StatusCode::ACCEPTED, "{email}");
            let taken = taken.json::<Value>().await.unwrap();
            placed.push(taken["id"].as_str().unwrap().to_owned());
        }
        let refused = rig.post(&order()).await;
        assert_eq!(refused.headers()["retry-after"], "60");
        let (status, refusal, named) = problem(refused).await;
        assert_eq!((status, named), (429, vec!["/customer/email".to_owned()]));
        let detail = "/customer/email has 3 open orders";
        assert!(refusal["detail"].as_str().unwrap().starts_with(detail), "{refusal}");
        let other = rig.post(&with("/customer/email", "eve@example.com")).await;
        assert_eq!(other.status(), StatusCode::ACCEPTED);
        assert_eq!(counted(&rig).await, (2, MOST + 1));

        // The end of an order makes room for one more, also if its event comes twice.
        for _ in 0..2 {
            end(&rig, &placed[0]).await;
        }
        placed[0] = rig.place().await;
        assert_eq!(problem(rig.post(&order()).await).await.0, 429);
        for id in &placed {
            end(&rig, id).await;
        }
        assert_eq!(counted(&rig).await, (1, 1), "only the other customer's order is open");
    }
}

#[tokio::test]
async fn many_orders_at_once_do_not_exceed_the_limit_and_a_refusal_is_not_stored_under_the_key() {
    for rig in rigs().await {
        let place = async |nth: usize| {
            let request = rig.http.post(format!("{}/orders", rig.url)).json(&order());
            request.header("idempotency-key", nth.to_string()).send().await.unwrap()
        };
        let mut taken = Vec::new();
        let mut refused = Vec::new();
        for (nth, answer) in join_all((0..20).map(&place)).await.into_iter().enumerate() {
            match answer.status() {
                StatusCode::ACCEPTED => taken.push(answer.json::<Value>().await.unwrap()),
                _ => refused.push((nth, problem(answer).await.0)),
            }
        }
        assert_eq!(i64::try_from(taken.len()), Ok(MOST));
        assert!(refused.iter().all(|(_, status)| *status == 429), "{refused:?}");
        end(&rig, taken[0]["id"].as_str().unwrap()).await;
        // A refused request under the same key is a new request, because the first one changed nothing.
        assert_eq!(place(refused[0].0).await.status(), StatusCode::ACCEPTED);
        assert_eq!(counted(&rig).await, (1, MOST));
    }
}

#[tokio::test]
async fn without_a_limit_nothing_is_counted() {
    for rig in rigs_with(Policy { open_orders: 0, ..Policy::default() }).await {
        let id = rig.place().await;
        rig.place().await;
        assert_eq!(counted(&rig).await, (0, 0));
        end(&rig, &id).await;
    }
}
