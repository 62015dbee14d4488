//! What is stored under an idempotency key: the response to an order that was accepted.

use axum::http::StatusCode;
use contracts::OrderId;
use quintet::http::CommandResponse;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::OrderView;
use crate::{Order, Reply};

/// The response to an order that was accepted.
pub(super) fn accepted(order: &Order) -> CommandResponse {
    response(order.order_id, &OrderView::from(order))
}

fn response(order_id: OrderId, body: &impl serde::Serialize) -> CommandResponse {
    CommandResponse::new(StatusCode::ACCEPTED, body).at(format!("/orders/{order_id}"))
}

impl quintet::Reply for Reply {
    fn stored(&self) -> Option<String> {
        match self {
            Self::Order(order) => accepted(order).stored(),
            Self::Repeat(response) => response.stored(),
            Self::Refused(_) | Self::Unknown | Self::Ended(_) => None,
        }
    }

    fn restored(stored: &str) -> Option<Self> {
        CommandResponse::restored(stored).or_else(|| earlier(stored)).map(Self::Repeat)
    }
}

/// The response that an earlier version has stored, as `{"Order": BODY}`.
fn earlier(stored: &str) -> Option<CommandResponse> {
    #[derive(Deserialize)]
    struct Earlier {
        #[serde(rename = "Order")]
        body: Box<RawValue>,
    }

    #[derive(Deserialize)]
    struct Body {
        id: OrderId,
    }

    let Earlier { body } = serde_json::from_str(stored).ok()?;
    let Body { id } = serde_json::from_str(body.get()).ok()?;
    Some(response(id, &body))
}

#[cfg(test)]
mod tests {
    use quintet::Reply as _;

    use super::*;

    #[test]
    fn a_response_that_an_earlier_version_stored_keeps_its_body() {
        let body = r#"{"id":"01a1fde8-c42a-73f5-96da-6e816ab97e8a","status":"placed"}"#;
        let restored = Reply::restored(&format!(r#"{{"Order":{body}}}"#)).unwrap();
        let stored = format!(
            r#"{{"status":202,"location":"/orders/01a1fde8-c42a-73f5-96da-6e816ab97e8a","body":{body}}}"#
        );
        assert_eq!(restored.stored(), Some(stored));
    }

    #[test]
    fn only_an_accepted_order_is_stored() {
        for refused in [Reply::Unknown, Reply::Ended(crate::End::Cancelled)] {
            assert_eq!(refused.stored(), None, "{refused:?}");
        }
        assert_eq!(Reply::restored("\"Unknown\""), None);
    }
}
