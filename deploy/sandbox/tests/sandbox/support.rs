//! A sandbox for each test, and a client for it.

use std::path::Path;

use reqwest::{Client, Method, Response, StatusCode};
use sandbox::{Config, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const ORDER: &str = "0190d9f0-0000-7000-8000-000000000001";
pub const OTHER_ORDER: &str = "0190d9f0-0000-7000-8000-000000000002";

pub struct Harness {
    pub sandbox: Sandbox,
    pub data: TempDir,
    pub client: Client,
}

impl Harness {
    pub async fn start() -> Self {
        let data = TempDir::new().unwrap();
        Self { sandbox: start(data.path()).await, data, client: Client::new() }
    }

    /// Stops the sandbox and starts another on the same data.
    pub async fn restart(self) -> Self {
        self.sandbox.stop().await;
        Self { sandbox: start(self.data.path()).await, data: self.data, client: Client::new() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.sandbox.http())
    }

    pub async fn post(&self, path: &str, key: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.client.post(self.url(path));
        let request = request.header("Idempotency-Key", key).json(body);
        read(request.send().await.unwrap()).await
    }

    pub async fn charge(&self, key: &str, token: &str) -> (StatusCode, Value) {
        self.post("/charges", key, &charge(token)).await
    }

    pub async fn refund(&self, key: &str, charge: &Value, amount: i64) -> (StatusCode, Value) {
        let body = json!({
            "order_id": ORDER, "amount_minor": amount, "currency": "EUR", "charge": charge["reference"],
        });
        self.post("/refunds", key, &body).await
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        read(self.client.get(self.url(path)).send().await.unwrap()).await
    }

    pub async fn ledger(&self) -> Value {
        let (status, ledger) = self.get("/ledger").await;
        assert_eq!(status, StatusCode::OK);
        ledger
    }

    pub async fn put_faults(&self, plan: &Value) -> (StatusCode, Value) {
        let request = self.client.request(Method::PUT, self.url("/faults"));
        read(request.json(plan).send().await.unwrap()).await
    }

    /// Sets the knobs, which must be accepted.
    pub async fn faults(&self, plan: Value) {
        assert_eq!(self.put_faults(&plan).await.0, StatusCode::OK);
    }
}

async fn start(data: &Path) -> Sandbox {
    let any = "127.0.0.1:0".parse().unwrap();
    let config = Config { listen: any, smtp: any, data: data.to_owned() };
    Sandbox::start(config).await.unwrap()
}

async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    let value = serde_json::from_str(&text);
    (status, value.unwrap_or_else(|error| panic!("{error}: {text}")))
}

pub fn charge(token: &str) -> Value {
    json!({ "order_id": ORDER, "amount_minor": 1298, "currency": "EUR", "token": token })
}

pub fn booking(postal_code: &str) -> Value {
    json!({
        "order_id": ORDER,
        "address": {
            "name": "Ada", "street": "Weg 1", "city": "Köln", "postal_code": postal_code, "country": "DE",
        },
        "items": [{ "sku": "tea", "quantity": 2 }],
    })
}
