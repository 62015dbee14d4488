//! Orders as a customer sees them over HTTP.

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

/// How long a repeat under the same key may go on: services are restarted meanwhile.
const PATIENCE: Duration = Duration::from_mins(1);

/// The customer, unless another one is named.
pub(crate) const EMAIL: &str = "ada@example.com";

/// What to order.
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
    /// Whom it waits for then; older order services do not say.
    pub(crate) attention: Option<Attention>,
    /// Whom it waits for at any time; older order services do not say.
    pub(crate) waiting_for: Vec<String>,
    /// The trace of its placing.
    pub(crate) trace_id: Option<String>,
    pub(crate) timeline: Vec<Entry>,
    /// The whole answer.
    pub(crate) json: Value,
}

/// One event of an order's life.
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
        struct Known {
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
        let known = Known::deserialize(&json)?;
        let Known { id, status, reason, needs_attention, attention, .. } = known;
        let Known { waiting_for, trace_id, timeline, .. } = known;
        Ok(Self {
            id,
            status,
            reason,
            needs_attention,
            attention,
            waiting_for,
            trace_id,
            timeline,
            json,
        })
    }
}

impl Order {
    /// Whether nothing will change any more.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "cancelled")
    }

    /// Whether it is being undone, and payment has not given the money back yet.
    fn is_owed_money(&self) -> bool {
        let late = self.attention.iter().flat_map(|it| &it.waiting_for);
        let named = self.waiting_for.iter().chain(late).any(|side| side == "payment");
        named && self.status == "cancelling"
    }

    /// When the customer's order was taken.
    pub(crate) fn placed_at(&self) -> Option<Timestamp> {
        self.timeline.first().map(|entry| entry.at)
    }

    /// When it ended, by the order service's own clock.
    pub(crate) fn ended_at(&self) -> Option<Timestamp> {
        self.timeline.iter().find(|entry| entry.is_end()).map(|entry| entry.at)
    }

    /// How long it took from the one to the other.
    pub(crate) fn took(&self) -> Option<SignedDuration> {
        Some(self.ended_at()?.duration_since(self.placed_at()?))
    }

    /// It and its trace in one line.
    pub(crate) fn title(&self) -> String {
        let trace = self.trace_id.as_ref().map(|trace| format!(", trace {trace}"));
        format!("order {}{}", self.id, trace.unwrap_or_default())
    }
}

impl Entry {
    /// Whether the order is over with it.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.event.as_str(), "OrderCompleted" | "OrderCancelled")
    }
}

/// A page of the orders there are.
#[derive(Debug, Deserialize)]
pub(crate) struct Listing {
    pub(crate) orders: Vec<Value>,
    /// The cursor of the next page.
    pub(crate) next: Option<String>,
}

/// Which orders to list: all, unless it says otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter<'a> {
    pub(crate) status: Option<&'a str>,
    pub(crate) needs_attention: bool,
}

/// A customer of the order service.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Where each replica takes orders.
    replicas: Vec<String>,
    /// Where payment says what it knows of an order.
    payments: Vec<String>,
    /// Where payment is told by operators.
    payment_admin: String,
    /// How often somebody was asked: they take turns.
    asked: Arc<AtomicUsize>,
    api: Api,
    /// How long it repeats what is not answered.
    patience: Duration,
}

impl Client {
    pub(crate) fn new(suite: &Suite, api: Api) -> Self {
        Self::patient(suite, api, PATIENCE)
    }

    /// One that repeats for so long what is not answered.
    pub(crate) fn patient(suite: &Suite, api: Api, patience: Duration) -> Self {
        let urls = suite.urls(names::order());
        let replicas = urls.into_iter().map(|url| format!("{url}/orders")).collect();
        let payments = suite.urls(names::payment()).into_iter();
        let payments = payments.map(|url| format!("{url}/payments")).collect();
        let payment_admin = suite.services.get(&names::payment()).map(|it| it.admin_url.clone());
        let payment_admin = payment_admin.unwrap_or_default();
        Self { replicas, payments, payment_admin, asked: Arc::default(), api, patience }
    }

    pub(super) const fn api(&self) -> &Api {
        &self.api
    }

    /// Where an order can be read: at another replica each time.
    pub(crate) fn url(&self, id: &str) -> String {
        let next = self.in_turn().into_iter().next().unwrap_or_default();
        format!("{next}/{id}")
    }

    /// The replicas, each time beginning with another.
    fn in_turn(&self) -> Vec<String> {
        let mut replicas = self.replicas.clone();
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        replicas.rotate_left(asked % self.replicas.len().max(1));
        replicas
    }

    /// Places an order, under one key however often it has to ask.
    ///
    /// # Errors
    /// When the order is refused, or nobody answers in time.
    pub(crate) async fn place(&self, wanted: &Wanted) -> Result<Order, http::Error> {
        let key = uuid_v7(&SystemClock, &SystemRandom).to_string();
        let body = wanted.body();
        let post = Request {
            method: Method::POST,
            url: "",
            body: Some(&body),
            idempotency_key: Some(&key),
        };
        self.api.send_to_any(&self.in_turn(), &post, self.patience).await
    }

    /// Asks for a cancellation; false if the order has ended before.
    ///
    /// # Errors
    /// When it is refused otherwise, or nobody answers in time.
    pub(crate) async fn cancel(&self, id: &str) -> Result<bool, http::Error> {
        let urls: Vec<String> =
            self.in_turn().iter().map(|orders| format!("{orders}/{id}/cancellation")).collect();
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
    /// When there is none, or nobody answers in time.
    pub(crate) async fn read(&self, id: &str) -> Result<Order, http::Error> {
        self.get(|orders| format!("{orders}/{id}")).await
    }

    /// Lists orders, the newest first: those that are asked for, and after a cursor.
    ///
    /// # Errors
    /// When the service refuses, or nobody answers in time.
    pub(crate) async fn list(
        &self,
        filter: &Filter<'_>,
        limit: u64,
        cursor: Option<&str>,
    ) -> Result<Listing, http::Error> {
        let query = [
            ("limit", Some(limit.to_string())),
            ("status", filter.status.map(str::to_owned)),
            ("needs_attention", filter.needs_attention.then(|| true.to_string())),
            ("cursor", cursor.map(str::to_owned)),
        ];
        let query = query.into_iter().filter_map(|(name, value)| Some((name, value?)));
        self.get(|orders| http::with_query(orders, query.clone())).await
    }

    /// Whether payment waits for an operator because the provider refused the order's refund; false
    /// where payment does not say. It is asked only while the order waits for it to give the money back.
    pub(crate) async fn is_refund_refused(&self, order: &Order) -> bool {
        #[derive(Deserialize)]
        struct Payment {
            status: String,
        }
        if !order.is_owed_money() {
            return false;
        }
        let Some(payments) = self.payments.first() else { return false };
        let payment = self.api.get::<Payment>(&format!("{payments}/{}", order.id)).await;
        payment.is_ok_and(|payment| payment.status == "attention")
    }

    /// What has payment ask again for a refund that was refused.
    pub(crate) fn refund_again(&self, id: &str) -> String {
        format!("curl -X POST {}/admin/payments/{id}/refund", self.payment_admin)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        url: impl Fn(&str) -> String,
    ) -> Result<T, http::Error> {
        let urls: Vec<String> = self.in_turn().iter().map(|orders| url(orders)).collect();
        let get = Request { method: Method::GET, url: "", body: None, idempotency_key: None };
        self.api.send_to_any(&urls, &get, self.patience).await
    }
}

impl Wanted {
    /// The same, wanted by the nth of many customers: each has a sub-address (RFC 5233), so that none has
    /// more open orders than order takes of one.
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
