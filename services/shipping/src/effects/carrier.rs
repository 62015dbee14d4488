use async_trait::async_trait;
use quintet::{Attempt, EffectId, Reference, Trace, answer};
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use serde_json::json;

use super::{Book, BookAnswer, Carrier};

/// A carrier reached over HTTP. Only 200 and 409 are definite answers. After any other answer the request is
/// repeated under the same key: soon if the answer may change, rarely if the carrier refuses the request as
/// malformed.
pub(crate) struct HttpCarrier {
    client: Client,
    bookings: Url,
}

const DEFINITE: [StatusCode; 2] = [StatusCode::OK, StatusCode::CONFLICT];

#[derive(Debug, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Answer {
    Booked { tracking: Reference },
    Refused { reason: String },
}

impl HttpCarrier {
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let bookings = quintet::provider_url(&format!("{}/bookings", url.trim_end_matches('/')))?;
        Ok(Self { client: quintet::client()?, bookings })
    }
}

#[async_trait]
impl Carrier for HttpCarrier {
    async fn book(&self, key: EffectId, book: &Book, trace: &Trace) -> Attempt<BookAnswer> {
        let request = self.client.post(self.bookings.clone()).json(&json!({
            "order_id": book.order_id,
            "address": book.address,
            "items": book.items,
        }));
        let definite = |status, answer| match (status, answer) {
            (StatusCode::OK, Answer::Booked { tracking }) => {
                Some(BookAnswer::Booked { tracking: tracking.into() })
            }
            (StatusCode::CONFLICT, Answer::Refused { reason }) => {
                Some(BookAnswer::Refused { reason })
            }
            _ => None,
        };
        answer(request, key, trace, definite, &DEFINITE).await
    }
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router, routing::post};
    use contracts::Address;
    use tokio::net::TcpListener;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn an_answer_without_a_usable_tracking_number_is_not_definite() {
        let text = String::new;
        let address = Address {
            name: text(),
            street: text(),
            city: text(),
            postal_code: text(),
            country: text(),
        };
        let book = Book { order_id: Uuid::nil().into(), address, items: Vec::new() };
        for (tracking, is_definite) in [("t_1", true), ("", false), ("\u{0}t_1", false)] {
            let answers =
                move || async move { Json(json!({ "status": "booked", "tracking": tracking })) };
            let routes = Router::new().route("/bookings", post(answers));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            tokio::spawn(axum::serve(listener, routes).into_future());
            let carrier = HttpCarrier::new(&url).unwrap();
            let booked = carrier.book(Uuid::nil().into(), &book, &Trace::default()).await;
            assert_eq!(matches!(booked, Attempt::Answered(_)), is_definite, "{booked:?}");
        }
    }
}
