use async_trait::async_trait;
use contracts::{EffectId, Trace};
use engine::Attempt;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use serde_json::json;
use service::answer;

use super::{Charge, ChargeAnswer, Gateway, Refund, RefundAnswer};

/// A gateway spoken to over HTTP. Definite are 200 and 402. Whatever else it says, it is asked again
/// under the same key: soon if that may change, rarely if it refuses the request itself.
pub(crate) struct HttpGateway {
    client: Client,
    charges: Url,
    refunds: Url,
}

const DEFINITE: [StatusCode; 2] = [StatusCode::OK, StatusCode::PAYMENT_REQUIRED];

#[derive(Debug, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Answer {
    Captured { reference: String },
    Declined { reason: String },
    Refunded { reference: String },
    Refused { reason: String },
}

impl HttpGateway {
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let base = service::provider_url(&format!("{}/", url.trim_end_matches('/')))?;
        let (charges, refunds) = (base.join("charges")?, base.join("refunds")?);
        Ok(Self { client: service::client()?, charges, refunds })
    }
}

#[async_trait]
impl Gateway for HttpGateway {
    async fn charge(&self, key: EffectId, charge: &Charge, trace: &Trace) -> Attempt<ChargeAnswer> {
        let request = self.client.post(self.charges.clone()).json(&json!({
            "order_id": charge.order_id,
            "amount_minor": charge.amount.amount_minor,
            "currency": charge.amount.currency,
            "token": charge.token,
        }));
        let definite = |status, answer| match (status, answer) {
            (StatusCode::OK, Answer::Captured { reference }) => {
                Some(ChargeAnswer::Captured { reference })
            }
            (StatusCode::PAYMENT_REQUIRED, Answer::Declined { reason }) => {
                Some(ChargeAnswer::Declined { reason })
            }
            _ => None,
        };
        answer(request, key, trace, definite, &DEFINITE).await
    }

    async fn refund(&self, key: EffectId, refund: &Refund, trace: &Trace) -> Attempt<RefundAnswer> {
        let request = self.client.post(self.refunds.clone()).json(&json!({
            "order_id": refund.order_id,
            "amount_minor": refund.amount.amount_minor,
            "currency": refund.amount.currency,
            "charge": refund.charge,
        }));
        let definite = |status, answer| match (status, answer) {
            (StatusCode::OK, Answer::Refunded { reference }) => {
                Some(RefundAnswer::Refunded { reference })
            }
            (StatusCode::PAYMENT_REQUIRED, Answer::Refused { reason }) => {
                Some(RefundAnswer::Refused { reason })
            }
            _ => None,
        };
        answer(request, key, trace, definite, &DEFINITE).await
    }
}
