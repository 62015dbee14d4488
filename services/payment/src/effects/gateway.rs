use async_trait::async_trait;
use quintet::{Attempt, EffectId, Reference, Trace, answer};
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use serde_json::json;

use super::{Charge, ChargeAnswer, Gateway, Refund, RefundAnswer};

/// A gateway reached over HTTP. Only 200 and 402 are definite answers. After any other answer the request is
/// repeated under the same key: soon if the answer may change, rarely if the gateway refuses the request as
/// malformed.
pub(crate) struct HttpGateway {
    client: Client,
    charges: Url,
    refunds: Url,
}

const DEFINITE: [StatusCode; 2] = [StatusCode::OK, StatusCode::PAYMENT_REQUIRED];

#[derive(Debug, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Answer {
    Captured { reference: Reference },
    Declined { reason: String },
    Refunded { reference: Reference },
    Refused { reason: String },
}

impl HttpGateway {
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let base = quintet::provider_url(&format!("{}/", url.trim_end_matches('/')))?;
        let (charges, refunds) = (base.join("charges")?, base.join("refunds")?);
        Ok(Self { client: quintet::client()?, charges, refunds })
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
                Some(ChargeAnswer::Captured { reference: reference.into() })
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
                Some(RefundAnswer::Refunded { reference: reference.into() })
            }
            (StatusCode::PAYMENT_REQUIRED, Answer::Refused { reason }) => {
                Some(RefundAnswer::Refused { reason })
            }
            _ => None,
        };
        answer(request, key, trace, definite, &DEFINITE).await
    }
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router, routing::post};
    use contracts::{Currency, Money};
    use tokio::net::TcpListener;
    use uuid::Uuid;

    use super::*;

    /// A gateway that gives every charge and refund this reference.
    async fn gateway(reference: &'static str) -> HttpGateway {
        let answers = |status| {
            move || async move { Json(json!({ "status": status, "reference": reference })) }
        };
        let routes = Router::new()
            .route("/charges", post(answers("captured")))
            .route("/refunds", post(answers("refunded")));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, routes).into_future());
        HttpGateway::new(&url).unwrap()
    }

    #[tokio::test]
    async fn an_answer_without_a_usable_reference_is_not_definite() {
        let order_id = Uuid::nil().into();
        let amount = Money { amount_minor: 1, currency: Currency::EUR };
        let charge = Charge { order_id, amount, token: "tok".into() };
        let refund = Refund { order_id, amount, charge: "ch_1".into(), attempt: 1 };
        for (reference, is_definite) in [("r_1", true), ("", false), ("\u{0}r_1", false)] {
            let (gateway, key) = (gateway(reference).await, Uuid::nil().into());
            let trace = Trace::default();
            let charged = gateway.charge(key, &charge, &trace).await;
            assert_eq!(matches!(charged, Attempt::Answered(_)), is_definite, "{charged:?}");
            let refunded = gateway.refund(key, &refund, &trace).await;
            assert_eq!(matches!(refunded, Attempt::Answered(_)), is_definite, "{refunded:?}");
        }
    }
}
