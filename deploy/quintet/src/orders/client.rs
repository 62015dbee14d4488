//! A client of the order service, and orders as its HTTP interface shows them.

use super::Attention;
use crate::names;
use clock::{SystemClock, SystemRandom, uuid_v7};
use jiff::{SignedDuration, Timestamp};
use quintet_suite::Suite;
use quintet_suite::http::{self, Api, Request};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long a request is repeated, so that a restart of the service is not noticed.
const PATIENCE: Duration = Duration::from_mins(1);

/// The default customer.
pub(crate) const EMAIL: &str = "ada@example.com";

/// An order to place.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) sku: String,
    pub(crate) quantity: i64,
    pub(crate) token: String,
    pub(crate) postal_code: String,
    pub(crate) email: String,
}

/// An accepted order.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) needs_attention: bool,
    /// The services that an order past its deadlines waits for. `None` from an older order service.
    pub(crate) attention: Option<Attention>,
    /// The services that an open order waits for. Empty from an older order service.
    pub(crate) waiting_for: Vec<String>,
    /// The trace of the request that placed the order.
    pub(crate) trace_id: Option<String>,
    pub(crate) timeline: Vec<Entry>,
    /// The whole answer of the order service.
    pub(crate) json: Value,
}

/// One event of an order's timeline.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) seq: i64,
    pub(crate) event: String,
    pub(crate) service: String,
    pub(crate) at: Timestamp,
    #[serde(default)]
    pub(crate) event_id: Option<String>,
}

impl TryFrom<Value> for Order {
    type Error = serde_json::Error;

    fn try_from(json: Value) -> Result<Self, Self::Error> {
        #[derive(Deserialize)]
        struct Fields {
            id: String,
            status: String,
            reason: Option<String>,
            #[serde(default)]
            needs_attention: bool,
            attention: Option<Attention>,
            #[serde(default)]
            waiting_for: Vec<String>,
            trace_id: Option<String>,
            #[serde(default)]
            timeline: Vec<Entry>,
        }
        let fields = Fields::deserialize(&json)?;
        Ok(Self {
            id: fields.id,
            status: fields.status,
            reason: fields.reason,
            needs_attention: fields.needs_attention,
            attention: fields.attention,
            waiting_for: fields.waiting_for,
            trace_id: fields.trace_id,
            timeline: fields.timeline,
            json,
        })
    }
}

impl Order {
    /// Whether the order is completed or cancelled. Then its status does not change any more.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "cancelled")
    }

    /// Whether the order is being undone and still waits for payment to refund it.
    fn waits_for_refund(&self) -> bool {
        let late = self.attention.iter().flat_map(|attention| &attention.waiting_for);
        let mut waiting_for = self.waiting_for.iter().chain(late);
        self.status == "cancelling" && waiting_for.any(|service| service == "payment")
    }

    /// When the order was placed, by the order service's clock.
    pub(crate) fn placed_at(&self) -> Option<Timestamp> {
        self.timeline.first().map(|entry| entry.at)
    }

    /// When the order ended, by the order service's clock.
    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        self.timeline.iter().find(|entry| entry.is_end()).map(|entry| entry.at)
    }

    /// The time from the placing of the order to its end.
    pub(crate) fn took(&self) -> Option<SignedDuration> {
        Some(self.ended_at()?.duration_since(self.placed_at()?))
    }

    /// The ids of the order and of its trace, in one line.
    pub(crate) fn title(&self) -> String {
        let trace = self.trace_id.as_ref().map(|trace| format!(", trace {trace}"));
        format!("order {}{}", self.id, trace.unwrap_or_default())
    }
}

impl Entry {
    /// Whether this event ends the order.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.event.as_str(), "OrderCompleted" | "OrderCancelled")
    }
}

/// A page of the list of orders.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) orders: Vec<Value>,
    /// The cursor of the next page, if there is one.
    pub(crate) next: Option<String>,
}

/// The orders to list; by default all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter<'a> {
    pub(crate) status: Option<&'a str>,
    pub(crate) needs_attention: bool,
}

/// A client of the order service, which spreads requests over the replicas.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The URL of the orders at each replica.
    replicas: Vec<String>,
    /// The URL of the payments at each replica of payment.
    payments: Vec<String>,
    /// The admin listener of payment.
    payment_admin: String,
    /// The number of requests so far. It decides which replica is next.
    requests: Arc<AtomicUsize>,
    api: Api,
    /// How long an unanswered request is repeated.
    patience: Duration,
}

impl Client {
    pub(crate) fn new(suite: &Suite, api: Api) -> Self {
        Self::patient(suite, api, PATIENCE)
    }

    /// A client that repeats an unanswered request for this time.
    pub(crate) fn patient(suite: &Suite, api: Api, patience: Duration) -> Self {
        let urls = suite.urls(names::order());
        let replicas = urls.into_iter().map(|url| format!("{url}/orders")).collect();
        let payments = suite.urls(names::payment()).into_iter();
        let payments = payments.map(|url| format!("{url}/payments")).collect();
        let payment_admin = suite.services.get(&names::payment()).map(|it| it.admin_url.clone());
        let payment_admin = payment_admin.unwrap_or_default();
        Self { replicas, payments, payment_admin, requests: Arc::default(), api, patience }
    }

    pub(super) const fn api(&self) -> &Api {
        &self.api
    }

    /// The URL of an order at the next replica.
    pub(crate) fn url(&self, id: &str) -> String {
        let next = self.next_replicas().into_iter().next().unwrap_or_default();
        format!("{next}/{id}")
    }

    /// The replicas in the order in which to try them. Each call begins with the next replica.
    fn next_replicas(&self) -> Vec<String> {
        let mut replicas = self.replicas.clone();
        let requests = self.requests.fetch_add(1, Ordering::Relaxed);
        replicas.rotate_left(requests % self.replicas.len().max(1));
        replicas
    }

    /// Places an order. All repeats have one idempotency key, so the order is placed once.
    ///
    /// # Errors
    /// When the order is refused, or no replica answers in time.
    pub(crate) async fn place(&self, wanted: &Wanted) -> Result<Order, http::Error> {
        let key = uuid_v7(&SystemClock, &SystemRandom).to_string();
        let body = wanted.body();
        let post = Request {
            method: Method::POST,
            url: "",
            body: Some(&body),
            idempotency_key: Some(&key),
        };
        self.api.send_to_any(&self.next_replicas(), &post, self.patience).await
    }

    /// Requests the cancellation of an order; false if the order had ended.
    ///
    /// # Errors
    /// When the request is refused for another reason, or no replica answers in time.
    pub(crate) async fn cancel(&self, id: &str) -> Result<bool, http::Error> {
        let replicas = self.next_replicas();
        let urls: Vec<String> =
            replicas.iter().map(|orders| format!("{orders}/{id}/cancellation")).collect();
        let post = Request { method: Method::POST, url: "", body: None, idempotency_key: None };
        match self.api.send_to_any::<Order>(&urls, &post, self.patience).await {
            Ok(_) => Ok(true),
            Err(http::Error::Refused { status: StatusCode::CONFLICT, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads an order.
    ///
    /// # Errors
    /// When there is no such order, or no replica answers in time.
    pub(crate) async fn read(&self, id: &str) -> Result<Order, http::Error> {
        self.get(|orders| format!("{orders}/{id}")).await
    }

    /// Reads a page of at most `limit` orders after the cursor, the newest first.
    ///
    /// # Errors
    /// When the service refuses the request, or no replica answers in time.
    pub(crate) async fn list(
        &self,
        filter: &Filter<'_>,
        limit: u64,
        cursor: Option<&str>,
    ) -> Result<Page, http::Error> {
        let query = [
            ("limit", Some(limit.to_string())),
            ("status", filter.status.map(str::to_owned)),
            ("needs_attention", filter.needs_attention.then(|| true.to_string())),
            ("cursor", cursor.map(str::to_owned)),
        ];
        let query = query.into_iter().filter_map(|(name, value)| Some((name, value?)));
        self.get(|orders| http::with_query(orders, query.clone())).await
    }

    /// Whether payment waits for an operator because the provider refused the order's refund. False if payment does not
    /// answer. Payment is asked only while the order waits for a refund.
    pub(crate) async fn is_refund_refused(&self, order: &Order) -> bool {
        #[derive(Deserialize)]
        struct Payment {
            status: String,
        }
        if !order.waits_for_refund() {
            return false;
        }
        let Some(payments) = self.payments.first() else { return false };
        let payment = self.api.get::<Payment>(&format!("{payments}/{}", order.id)).await;
        payment.is_ok_and(|payment| payment.status == "attention")
    }

    /// The shell command by which an operator has payment request a refused refund again.
    pub(crate) fn refund_command(&self, id: &str) -> String {
        format!("curl -X POST {}/admin/payments/{id}/refund", self.payment_admin)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        url: impl Fn(&str) -> String,
    ) -> Result<T, http::Error> {
        let urls: Vec<String> = self.next_replicas().iter().map(|orders| url(orders)).collect();
        let get = Request { method: Method::GET, url: "", body: None, idempotency_key: None };
        self.api.send_to_any(&urls, &get, self.patience).await
    }
}

impl Wanted {
    /// The same order from the nth of many customers. Each has a sub-address of its own (RFC 5233), so that none exceeds
    /// the order service's limit of open orders for one address.
    pub(crate) fn of_customer(&self, nth: u64) -> Self {
        Self { email: self.email.replacen('@', &format!("+{nth}@"), 1), ..self.clone() }
    }

    fn body(&self) -> Value {
        json!({
            "customer": { "email": self.email },
            "items": [{ "sku": self.sku, "quantity": self.quantity }],
            "shipping_address": {
                "name": "Ada", "street": "Ring 1", "city": "Wien",
                "postal_code": self.postal_code, "country": "AT"
            },
            "payment": { "token": self.token }
        })
    }
}
