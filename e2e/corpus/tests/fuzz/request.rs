//! Valid, nearly valid and random requests.

use axum::{
    body::Body,
    http::{Method, Request},
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use crate::damage::{ByteDamage, bytes, json};

const METHODS: [Method; 5] =
    [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH];

/// A route as the service describes it.
#[derive(Debug, Clone)]
pub struct Operation {
    pub method: Method,
    /// The path, with `{names}` in it.
    pub path: String,
    /// The parameters in the query.
    pub queries: Vec<String>,
    /// A valid body, if the route takes one.
    pub body: Option<Value>,
}

/// A request, before it is built.
#[derive(Debug, Clone)]
pub struct Sent {
    pub method: Method,
    pub uri: String,
    pub headers: Vec<(&'static str, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Operation {
    /// All operations that a service describes. `body` returns a valid body for an operation.
    pub fn all(description: &Value, body: impl Fn(&str) -> Value) -> Vec<Self> {
        let mut all = Vec::new();
        for (path, methods) in description["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let queries = parameters.filter(|parameter| parameter["in"] == "query");
                let queries = queries.map(|query| query["name"].as_str().unwrap().to_owned());
                let id = operation["operationId"].as_str().unwrap_or_default();
                all.push(Self {
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.clone(),
                    queries: queries.collect(),
                    body: operation["requestBody"].is_object().then(|| body(id)),
                });
            }
        }
        all
    }

    /// Requests to this operation, valid or not. `ids` are ids that exist.
    pub fn requests(&self, ids: &[String]) -> BoxedStrategy<Sent> {
        let method = prop_oneof![9 => Just(self.method.clone()), 1 => select(METHODS.to_vec())];
        let segment = prop_oneof![3 => select(ids.to_vec()), 1 => any::<Vec<u8>>()
            .prop_map(|bytes| escaped(&bytes))];
        let path = self.path.clone();
        let path = segment.prop_map(move |segment| {
            let filled = path
                .split('/')
                .map(|part| if part.starts_with('{') { segment.as_str() } else { part });
            filled.collect::<Vec<_>>().join("/")
        });
        let uri = (path, self.query()).prop_map(|(path, query)| match query.as_str() {
            "" => path,
            query => format!("{path}?{query}"),
        });
        (method, uri, headers(), self.bodies())
            .prop_map(|(method, uri, headers, body)| Sent { method, uri, headers, body })
            .boxed()
    }

    fn query(&self) -> impl Strategy<Value = String> + use<> {
        let mut names = self.queries.clone();
        names.push("x".to_owned());
        let value = prop_oneof![
            "[0-9]{1,3}",
            select(vec!["placed", "cancelled", "true", "false", "-1", "0", "500", ""])
                .prop_map(ToOwned::to_owned),
            any::<i64>().prop_map(|number| number.to_string()),
            any::<Vec<u8>>().prop_map(|bytes| escaped(&bytes)),
        ];
        let pair = (select(names), value).prop_map(|(name, value)| format!("{name}={value}"));
        vec(pair, 0..3).prop_map(|pairs| pairs.join("&"))
    }

    fn bodies(&self) -> BoxedStrategy<Vec<u8>> {
        let Some(body) = &self.body else {
            return prop_oneof![3 => Just(Vec::new()), 1 => any::<Vec<u8>>()].boxed();
        };
        let good = serde_json::to_vec(body).unwrap();
        let changes = vec((any::<Index>(), samples::anything()), 0..3);
        let damages = vec(bytes(), 0..3);
        let nearly = (Just(good.clone()), changes).prop_map(|(good, changes)| {
            changes.into_iter().fold(good, |body, (at, value)| json(&body, at, &value))
        });
        let broken = (Just(good), damages).prop_map(|(mut good, damages): (_, Vec<ByteDamage>)| {
            for damage in &damages {
                damage.apply(&mut good);
            }
            good
        });
        let any_json = samples::anything().prop_map(|value| serde_json::to_vec(&value).unwrap());
        prop_oneof![4 => nearly, 2 => broken, 1 => any_json, 1 => any::<Vec<u8>>()].boxed()
    }
}

/// A text that is allowed as a header's value.
fn header_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[ -~]{0,80}".prop_map(String::into_bytes),
        vec(prop_oneof![32..127_u8, 128..255_u8], 0..40),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let json = Just(b"application/json".to_vec());
    let content_type = prop_oneof![9 => json, 1 => header_text()];
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0[01]";
    let other = prop_oneof![
        (Just("idempotency-key"), header_text()),
        (Just("idempotency-key"), "[a-c]".prop_map(String::into_bytes)),
        (Just("traceparent"), parent.prop_map(String::into_bytes)),
        (Just("traceparent"), header_text()),
        (Just("tracestate"), header_text()),
        (Just("last-event-id"), "-?[0-9]{1,20}".prop_map(String::into_bytes)),
        (Just("last-event-id"), header_text()),
        (Just("x-request-id"), header_text()),
        (Just("accept"), header_text()),
    ];
    let content_type = content_type.prop_map(|text| ("content-type", text));
    (content_type, vec(other, 0..4)).prop_map(|(content_type, mut headers)| {
        headers.push(content_type);
        headers
    })
}

/// The bytes, percent-encoded for a path or a query.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

impl Sent {
    pub fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.uri);
        for (name, text) in &self.headers {
            request = request.header(*name, text.as_slice());
        }
        request.body(Body::from(self.body.clone())).expect("a request")
    }
}
