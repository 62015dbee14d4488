use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    sync::Arc,
    time::Duration,
};

use audit::{Ledger, Snapshot};
use clock::{SystemClock, SystemRandom, uuid_v7};
use contracts::{OrderId, Sku};
use futures::{StreamExt, stream};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{NewOrder, OrderView, PATIENCE, Suite, until, waiting::POLL};

/// Customers who order at once.
const AT_ONCE: usize = 16;
/// How long a customer waits before he asks another replica; one may hang.
const TRY_WITHIN: Duration = Duration::from_secs(5);
/// What an audit checks.
const INVARIANTS: usize = 7;
/// The audit's exit code for a suite in which something still happens.
const NOT_AT_REST: i32 = 2;
/// So often it may find that.
const AGAIN: usize = 3;

/// Somebody who uses a suite from outside and remembers what it was promised.
#[derive(Debug)]
pub struct Visitor {
    suite: Arc<Suite>,
    http: Client,
    accepted: RefCell<BTreeSet<OrderId>>,
    skus: RefCell<BTreeSet<Sku>>,
    /// How often order was asked: its replicas take turns.
    asked: Cell<usize>,
}

/// What an HTTP request was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its media type.
    pub content_type: String,
    /// Its `Location`.
    pub location: Option<String>,
    /// Its `Retry-After`.
    pub retry_after: Option<String>,
    /// Its JSON.
    pub body: Value,
}

impl Visitor {
    /// A new one, who was promised nothing yet.
    #[must_use]
    pub fn of(suite: Arc<Suite>) -> Self {
        let http = Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let (accepted, skus, asked) = Default::default();
        Self { suite, http, accepted, skus, asked }
    }

    /// The suite.
    #[must_use]
    pub fn suite(&self) -> &Suite {
        &self.suite
    }

    /// The orders that were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> Vec<OrderId> {
        self.accepted.borrow().iter().copied().collect()
    }

    /// Lists a product of the visitor's own with so many pieces on the shelf; returns when it can be
    /// ordered.
    pub async fn product(&self, stock: i64) -> Sku {
        let sku: Sku = format!("sku-{}", unique()).parse().expect("a SKU");
        self.skus.borrow_mut().insert(sku.clone());
        let product = format!("{}/products/{sku}", self.suite.says("/inventory/url"));
        let body = json!({"name": "Mug", "price": {"amount_minor": 1298, "currency": "EUR"}});
        self.done(Method::PUT, &product, Some(body)).await;
        if stock > 0 {
            let quantity = json!({ "quantity": stock });
            self.done(Method::POST, &format!("{product}/stock"), Some(quantity)).await;
        }
        // An order that is refused anyway tells which of its lines is unknown, and changes nothing.
        let probe = NewOrder::of(&sku).with(
            "/items",
            json!([{"sku": sku, "quantity": 1}, {"sku": "no-such-sku", "quantity": 1}]),
        );
        until("order knows the product", async || {
            let answer = self.post("/orders", &probe.0).await;
            (answer.body.pointer("/errors/0/pointer")? == "/items/1/sku").then_some(())
        })
        .await;
        sku
    }

    /// Places an order: asks until there is a definite answer, which must be 202.
    pub async fn place(&self, order: &NewOrder) -> OrderId {
        let key = unique();
        let answer = until("the order is taken", async || {
            let request = self.request(Method::POST, &self.url("/orders")).json(&order.0);
            let request = request.header("idempotency-key", &key).timeout(TRY_WITHIN);
            let answer = Answer::to(request).await?;
            let again = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
            (!again.contains(&answer.status)).then_some(answer)
        })
        .await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        self.remember(&answer)
    }

    /// Places many orders, sixteen at a time; calls `accepted` with their number after each.
    pub async fn place_all(
        &self,
        orders: Vec<NewOrder>,
        mut accepted: impl FnMut(usize),
    ) -> Vec<OrderId> {
        let placed = stream::iter(&orders).map(|order| self.place(order));
        let mut placed = placed.buffer_unordered(AT_ONCE);
        let mut ids = Vec::new();
        while let Some(id) = placed.next().await {
            ids.push(id);
            accepted(ids.len());
        }
        ids
    }

    /// Keeps the promise of a 202.
    pub fn remember(&self, accepted: &Answer) -> OrderId {
        let id = accepted.body["id"].as_str().and_then(|id| id.parse().ok());
        let id: OrderId = id.unwrap_or_else(|| panic!("no order: {}", accepted.body));
        assert_eq!(accepted.location.as_deref(), Some(&*format!("/orders/{id}")));
        self.accepted.borrow_mut().insert(id);
        id
    }

    /// Posts to order.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, &self.url(path)).json(body)).await
    }

    /// A request to order, to be completed.
    pub fn request_to_order(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, &self.url(path))
    }

    /// Sends a request that must be answered.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        Answer::to(request).await.expect("an answer")
    }

    /// Asks for a cancellation.
    pub async fn cancel(&self, order: OrderId) -> Answer {
        self.post(&format!("/orders/{order}/cancellation"), &json!({})).await
    }

    /// An order as it is now; asks until there is an answer.
    pub async fn order(&self, order: OrderId) -> OrderView {
        until(&format!("order {order}"), async || {
            let url = self.url(&format!("/orders/{order}"));
            let answer = Answer::to(self.request(Method::GET, &url).timeout(TRY_WITHIN)).await?;
            let answer = (answer.status == StatusCode::OK).then_some(answer.body)?;
            Some(serde_json::from_value(answer).expect("JSON of the documented shape"))
        })
        .await
    }

    /// Waits until an order is so.
    pub async fn until(
        &self,
        order: OrderId,
        what: &str,
        so: impl Fn(&OrderView) -> bool,
    ) -> OrderView {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let view = self.order(order).await;
            if so(&view) {
                return view;
            }
            assert!(Instant::now() < give_up, "in vain: {what}; it is {view:?}");
            sleep(POLL).await;
        }
    }

    /// Waits until an order has ended so.
    pub async fn until_ended(&self, order: OrderId, status: &str) -> OrderView {
        let view = self.until(order, "ended", OrderView::has_ended).await;
        assert_eq!(view.status, status, "{view:?}");
        view
    }

    /// What another service says of an order, by the path of its route.
    pub async fn until_status(&self, service: &str, path: &str, order: OrderId, status: &str) {
        let url = format!("{}/{path}/{order}", self.suite.says(&format!("/{service}/url")));
        until(&format!("{service} says {status}"), async || {
            let answer = Answer::to(self.request(Method::GET, &url)).await?;
            (answer.body["status"] == status).then_some(())
        })
        .await;
    }

    /// How the outside world misbehaves from now on.
    pub async fn faults(&self, plan: Value) {
        let url = format!("{}/faults", self.suite.says("/sandbox/url"));
        self.done(Method::PUT, &url, Some(plan)).await;
    }

    /// What the outside world did for an order.
    pub async fn ledger(&self, order: OrderId) -> Ledger {
        let sandbox = self.suite.says("/sandbox/url");
        self.get(&format!("{sandbox}/ledger?order_id={order}")).await
    }

    /// An operator's second try of a refused refund.
    pub async fn retry_refund(&self, order: OrderId) -> Answer {
        let payment = self.suite.says("/payment/admin_url");
        let url = format!("{payment}/admin/payments/{order}/refund");
        self.send(self.request(Method::POST, &url)).await
    }

    /// JSON that somebody must give; asks until there is an answer.
    pub async fn get<T: DeserializeOwned>(&self, url: &str) -> T {
        until(&format!("an answer to {url}"), async || {
            let answer = Answer::to(self.request(Method::GET, url)).await?;
            let answer = (answer.status == StatusCode::OK).then_some(answer.body)?;
            Some(serde_json::from_value(answer).expect("JSON of the documented shape"))
        })
        .await
    }

    /// A snapshot of the whole suite.
    pub async fn snapshot(&self) -> Snapshot {
        let snapshot = audit::collect(&self.http, &self.suite.addresses()).await;
        snapshot.expect("everybody answers")
    }

    /// What the suite says of this visitor's orders and products.
    pub async fn own(&self) -> Snapshot {
        let (accepted, skus) = (self.accepted.borrow().clone(), self.skus.borrow().clone());
        self.snapshot().await.of(&accepted, &skus)
    }

    /// How every scenario ends: what was accepted has ended, and `quintet audit` waits until the
    /// suite is at rest and finds it sound.
    pub async fn verdict(&self) {
        for order in self.accepted() {
            self.until(order, "ended", OrderView::has_ended).await;
        }
        let (mut code, mut said) = self.suite.audit("60s").await;
        for _ in 0..AGAIN {
            // Others that share the suite may keep it from rest for a while.
            if code == Some(NOT_AT_REST) {
                (code, said) = self.suite.audit("60s").await;
            }
        }
        assert_eq!(code, Some(0), "the audit does not hold:\n{said:#}");
        let invariants = said["invariants"].as_array().expect("a list");
        let holding = invariants.iter().filter(|invariant| invariant["holds"] == true);
        assert_eq!(holding.count(), INVARIANTS, "{said:#}");
    }

    fn url(&self, path: &str) -> String {
        let replicas = self.suite.replicas("order");
        let turn = self.asked.replace(self.asked.get() + 1);
        format!("{}{path}", replicas[turn % replicas.len()].url)
    }

    /// A request to anybody, to be completed.
    pub fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url)
    }

    async fn done(&self, method: Method, url: &str, body: Option<Value>) {
        let mut request = self.request(method, url).header("idempotency-key", unique());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = self.send(request).await;
        assert!(answer.status.is_success(), "{url}: {}", answer.body);
    }
}

impl Answer {
    /// The answer to a request; `None` if nobody gave one.
    pub async fn to(request: RequestBuilder) -> Option<Self> {
        let response = request.send().await.ok()?;
        let header = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(ToOwned::to_owned)
        };
        let (location, retry_after) = (header(header::LOCATION), header(header::RETRY_AFTER));
        let content_type = header(header::CONTENT_TYPE).unwrap_or_default();
        let status = response.status();
        let bytes = response.bytes().await.ok()?;
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Some(Self { status, content_type, location, retry_after, body })
    }
}

fn unique() -> String {
    uuid_v7(&SystemClock, &SystemRandom).simple().to_string()
}
