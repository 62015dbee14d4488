use async_trait::async_trait;
use contracts::{EffectId, Trace};
use engine::Attempt;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use serde_json::json;
use service::answer;

use super::{Book, BookAnswer, Carrier};

/// A carrier spoken to over HTTP. Definite are 200 and 409. Whatever else it says, it is asked again
/// under the same key: soon if that may change, rarely if it refuses the request itself.
pub(crate) struct HttpCarrier {
    client: Client,
    bookings: Url,
}

const DEFINITE: [StatusCode; 2] = [StatusCode::OK, StatusCode::CONFLICT];

#[derive(Debug, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Answer {
    Booked { tracking: String },
    Refused { reason: String },
}

impl HttpCarrier {
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let bookings = service::provider_url(&format!("{}/bookings", url.trim_end_matches('/')))?;
        Ok(Self { client: service::client()?, bookings })
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
            (StatusCode::OK, Answer::Booked { tracking }) => Some(BookAnswer::Booked { tracking }),
            (StatusCode::CONFLICT, Answer::Refused { reason }) => {
                Some(BookAnswer::Refused { reason })
            }
            _ => None,
        };
        answer(request, key, trace, definite, &DEFINITE).await
    }
}
