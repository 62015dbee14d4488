//! The responses to commands. The response to a command that was carried out is also what is stored under an
//! idempotency key.

use axum::http::StatusCode;
use quintet::{
    http::{CommandResponse, Problem},
    serde_json::{self, value::RawValue},
};
use serde::Deserialize;

use super::view::ProductView;
use crate::{Product, Reply};

/// The response to a command, or why it was not carried out.
pub(super) fn response(reply: Reply) -> Result<CommandResponse, Problem> {
    match reply {
        Reply::Product(product, is_new) => Ok(shown(&product, is_new)),
        Reply::Repeat(response) => Ok(response),
        Reply::Unknown => {
            Err(Problem::not_found("such product; create it with PUT /products/{sku}"))
        }
        Reply::TooMuch => Err(Problem::unprocessable("/quantity", "is more than the shelf holds")),
    }
}

fn shown(product: &Product, is_new: bool) -> CommandResponse {
    CommandResponse::new(status(is_new), &ProductView::from(product))
}

fn status(is_new: bool) -> StatusCode {
    if is_new { StatusCode::CREATED } else { StatusCode::OK }
}

impl quintet::Reply for Reply {
    fn stored(&self) -> Option<String> {
        match self {
            Self::Product(product, is_new) => shown(product, *is_new).stored(),
            Self::Repeat(response) => response.stored(),
            Self::Unknown | Self::TooMuch => None,
        }
    }

    fn restored(stored: &str) -> Option<Self> {
        CommandResponse::restored(stored).or_else(|| earlier(stored)).map(Self::Repeat)
    }
}

/// The response that an earlier version has stored, as `{"Product": [BODY, IS_NEW]}`.
fn earlier(stored: &str) -> Option<CommandResponse> {
    #[derive(Deserialize)]
    struct Earlier {
        #[serde(rename = "Product")]
        product: (Box<RawValue>, bool),
    }

    let Earlier { product: (body, is_new) } = serde_json::from_str(stored).ok()?;
    Some(CommandResponse::new(status(is_new), &body))
}

#[cfg(test)]
mod tests {
    use quintet::Reply as _;

    use super::*;

    #[test]
    fn a_response_that_an_earlier_version_stored_keeps_its_body() {
        for (is_new, status) in [(false, 200), (true, 201)] {
            let stored = format!(r#"{{"Product":[{{"sku":"mug","price":1.50}},{is_new}]}}"#);
            let restored = Reply::restored(&stored).unwrap();
            let stored = format!(r#"{{"status":{status},"body":{{"sku":"mug","price":1.50}}}}"#);
            assert_eq!(restored.stored(), Some(stored));
        }
    }

    #[test]
    fn a_refusal_is_not_stored() {
        assert_eq!(Reply::Unknown.stored(), None);
        assert_eq!(Reply::TooMuch.stored(), None);
        assert_eq!(Reply::restored("\"TooMuch\""), None);
    }
}
