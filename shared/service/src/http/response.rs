use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use engine::Reply;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};

/// The response to a command that was carried out, as it is sent and as it is stored under the command's idempotency
/// key. A repeat gets the stored bytes, also from a version of the service whose responses look different.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CommandResponse {
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    /// JSON that is never parsed and written again, which could change its bytes.
    body: Box<RawValue>,
}

impl CommandResponse {
    /// A response with this status and JSON body.
    #[must_use]
    pub fn new(status: StatusCode, body: &impl Serialize) -> Self {
        let body = to_raw_value(body).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self { status: status.as_u16(), location: None, body }
    }

    /// The same with a `Location`.
    #[must_use]
    pub fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    /// Its body read as a `T`; `None` if it is none.
    #[must_use]
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.body.get()).ok()
    }
}

impl PartialEq for CommandResponse {
    fn eq(&self, other: &Self) -> bool {
        (self.status, &self.location, self.body.get())
            == (other.status, &other.location, other.body.get())
    }
}

impl Eq for CommandResponse {}

impl Reply for CommandResponse {
    fn stored(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    fn restored(stored: &str) -> Option<Self> {
        serde_json::from_str(stored).ok()
    }
}

impl IntoResponse for CommandResponse {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let json = HeaderValue::from_static("application/json");
        let body = Box::<str>::from(self.body).into_string();
        let mut response = (status, [(header::CONTENT_TYPE, json)], body).into_response();
        let location = self.location.and_then(|location| HeaderValue::try_from(location).ok());
        if let Some(location) = location {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stored_response_keeps_the_bytes_of_its_body() {
        let sent = r#"{ "b": 1.50, "a": "\u00e9" }"#;
        let stored = format!(r#"{{"status":201,"body":{sent}}}"#);
        let restored = CommandResponse::restored(&stored).unwrap();
        assert_eq!(restored.body.get(), sent);
        assert_eq!(restored.stored(), Some(stored));
        assert_eq!(CommandResponse::restored(r#"{"Count":5}"#), None);
    }

    #[tokio::test]
    async fn a_restored_response_is_sent_as_the_first_one_was() {
        let first = CommandResponse::new(StatusCode::ACCEPTED, &json!({ "id": 1 }));
        let first = first.at("/things/1".to_owned());
        let again = CommandResponse::restored(&first.stored().unwrap()).unwrap();
        for response in [first, again] {
            let response = response.into_response();
            assert_eq!(response.status(), StatusCode::ACCEPTED);
            assert_eq!(response.headers()[header::LOCATION], "/things/1");
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
            let body = to_bytes(response.into_body(), 100).await.unwrap();
            assert_eq!(&body[..], br#"{"id":1}"#);
        }
    }

    #[test]
    fn the_body_of_a_response_can_be_read() {
        let response = CommandResponse::new(StatusCode::OK, &json!({ "id": 1 }));
        assert_eq!(response.read(), Some(json!({ "id": 1 })));
        assert_eq!(response.read::<String>(), None);
    }
}
