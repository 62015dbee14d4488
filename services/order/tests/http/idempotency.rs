//! Repeats under an `Idempotency-Key` get the response that the first request got, byte for byte.

use quintet::Tx;
use reqwest::{Response, StatusCode};

use crate::rig::{Rig, order, rigs};

/// What a client sees of a response.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    status: StatusCode,
    content_type: String,
    location: String,
    body: String,
}

async fn place_keyed(rig: &Rig) -> Seen {
    let request = rig.http.post(format!("{}/orders", rig.url)).json(&order());
    seen(request.header("idempotency-key", "once").send().await.unwrap()).await
}

async fn seen(response: Response) -> Seen {
    let header = |name| response.headers()[name].to_str().unwrap().to_owned();
    let (content_type, location) = (header("content-type"), header("location"));
    Seen { status: response.status(), content_type, location, body: response.text().await.unwrap() }
}

/// Replaces what is stored under the key.
async fn store(rig: &Rig, response: &str) {
    let mut tx: Tx = rig.db.begin().await.unwrap();
    let replace = "update idempotency_key set reply = $1";
    assert_eq!(tx.execute(replace, vec![response.to_owned().into()]).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_repeat_gets_the_bytes_of_the_first_response_after_the_order_has_changed() {
    for rig in rigs().await {
        let first = place_keyed(&rig).await;
        assert_eq!(
            (first.status, &*first.content_type),
            (StatusCode::ACCEPTED, "application/json")
        );
        let id = first.location.rsplit('/').next().unwrap();
        let order_id = id.parse().unwrap();
        rig.hears(id, contracts::StockReserved { order_id }).await;
        assert_eq!(place_keyed(&rig).await, first);
    }
}

#[tokio::test]
async fn a_repeat_gets_the_bytes_that_another_version_has_sent() {
    for rig in rigs().await {
        let first = place_keyed(&rig).await;
        let id = first.location.rsplit('/').next().unwrap();
        let body = format!(r#"{{"color":"\u00e9","id":"{id}","total":1.50}}"#);
        let expected = Seen { body: body.clone(), ..first.clone() };
        for stored in [
            format!(r#"{{"status":202,"location":"/orders/{id}","body":{body}}}"#),
            // As it was stored when the reply was an HTTP view.
            format!(r#"{{"Order":{body}}}"#),
        ] {
            store(&rig, &stored).await;
            assert_eq!(place_keyed(&rig).await, expected, "{stored}");
        }
    }
}
