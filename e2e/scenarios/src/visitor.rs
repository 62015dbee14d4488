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

use crate::{NewOrder, OrderView, PATIENCE, TestSuite, until, waiting::POLL};

/// How many orders are placed at a time.
const AT_ONCE: usize = 16;
/// How long a customer waits for a replica, which may hang, before the next one is tried.
const TRY_WITHIN: Duration = Duration::from_secs(5);
/// The number of invariants that an audit checks.
const INVARIANTS: usize = 7;
/// The audit's exit code for a suite that is not at rest.
const NOT_AT_REST: i32 = 2;
/// How often an audit is repeated because the suite was not at rest.
const REPEATS: usize = 3;

/// A client of a suite, which remembers its accepted orders and its products.
#[derive(Debug)]
pub struct Visitor {
    suite: Arc<TestSuite>,
    http: Client,
    accepted: RefCell<BTreeSet<OrderId>>,
    skus: RefCell<BTreeSet<Sku>>,
    /// The number of requests to the order service. It decides which replica is next.
    requests: Cell<usize>,
}

/// The answer to an HTTP request.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the parts of an HTTP answer")]
pub struct Answer {
    pub status: StatusCode,
    pub content_type: String,
    pub location: Option<String>,
    pub retry_after: Option<String>,
    /// The JSON; null if the body is not JSON.
    pub body: Value,
}

impl Visitor {
    /// A visitor without orders and products.
    #[must_use]
    pub fn of(suite: Arc<TestSuite>) -> Self {
        let http = Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let (accepted, skus, requests) = Default::default();
        Self { suite, http, accepted, skus, requests }
    }

    /// The suite.
    #[must_use]
    pub fn suite(&self) -> &TestSuite {
        &self.suite
    }

    /// The visitor's accepted orders.
    #[must_use]
    pub fn accepted(&self) -> Vec<OrderId> {
        self.accepted.borrow().iter().copied().collect()
    }

    /// Lists a product of the visitor's own and stocks it. Returns when the order service knows the product.
    pub async fn product(&self, stock: i64) -> Sku {
        let sku: Sku = format!("sku-{}", unique()).parse().expect("a SKU");
        self.skus.borrow_mut().insert(sku.clone());
        let product = format!("{}/products/{sku}", self.suite.up_json_text("/inventory/url"));
        let body = json!({"name": "Mug", "price": {"amount_minor": 1298, "currency": "EUR"}});
        self.succeed(Method::PUT, &product, Some(body)).await;
        if stock > 0 {
            let quantity = json!({ "quantity": stock });
            self.succeed(Method::POST, &format!("{product}/stock"), Some(quantity)).await;
        }
        // This order is refused in any case, because its second product does not exist. Once the refusal names the second
        // line first, the first product is known.
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

    /// Places an order. The request is repeated until there is a definite answer, which must be 202.
    pub async fn place(&self, order: &NewOrder) -> OrderId {
        let key = unique();
        let answer = until("the order is accepted", async || {
            let request = self.request(Method::POST, &self.url("/orders")).json(&order.0);
            let request = request.header("idempotency-key", &key).timeout(TRY_WITHIN);
            let answer = Answer::to(request).await?;
            let not_definite = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
            (!not_definite.contains(&answer.status)).then_some(answer)
        })
        .await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        self.remember(&answer)
    }

    /// Places orders, sixteen at a time. Calls `accepted` after each, with the number of orders accepted so far.
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

    /// Remembers the order of a 202, so that [`assert_sound`](Self::assert_sound) checks it.
    pub fn remember(&self, accepted: &Answer) -> OrderId {
        let id = accepted.body["id"].as_str().and_then(|id| id.parse().ok());
        let id: OrderId = id.unwrap_or_else(|| panic!("an order without id: {}", accepted.body));
        assert_eq!(accepted.location.as_deref(), Some(&*format!("/orders/{id}")));
        self.accepted.borrow_mut().insert(id);
        id
    }

    /// Sends a POST with JSON to the order service.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, &self.url(path)).json(body)).await
    }

    /// Begins a request to the order service.
    pub fn request_to_order(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, &self.url(path))
    }

    /// Sends a request, which must be answered.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        Answer::to(request).await.expect("an answer")
    }

    /// Requests the cancellation of an order.
    pub async fn cancel(&self, order: OrderId) -> Answer {
        self.post(&format!("/orders/{order}/cancellation"), &json!({})).await
    }

    /// Reads an order. The request is repeated until it is answered.
    pub async fn order(&self, order: OrderId) -> OrderView {
        until(&format!("order {order} can be read"), async || {
            let url = self.url(&format!("/orders/{order}"));
            let answer = Answer::to(self.request(Method::GET, &url).timeout(TRY_WITHIN)).await?;
            let answer = (answer.status == StatusCode::OK).then_some(answer.body)?;
            Some(serde_json::from_value(answer).expect("JSON of the documented shape"))
        })
        .await
    }

    /// Waits until an order meets a condition, which `description` names.
    pub async fn until(
        &self,
        order: OrderId,
        description: &str,
        condition: impl Fn(&OrderView) -> bool,
    ) -> OrderView {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let view = self.order(order).await;
            if condition(&view) {
                return view;
            }
            assert!(
                Instant::now() < give_up,
                "waited {PATIENCE:?} in vain until the order is {description}: {view:?}"
            );
            sleep(POLL).await;
        }
    }

    /// Waits until an order has ended, and asserts that it has this status then.
    pub async fn until_ended(&self, order: OrderId, status: &str) -> OrderView {
        let view = self.until(order, "ended", OrderView::has_ended).await;
        assert_eq!(view.status, status, "{view:?}");
        view
    }

    /// Waits until another service shows this status of an order. `path` is the path of the service's route.
    pub async fn until_status(&self, service: &str, path: &str, order: OrderId, status: &str) {
        let url = format!("{}/{path}/{order}", self.suite.up_json_text(&format!("/{service}/url")));
        until(&format!("{service} shows {status}"), async || {
            let answer = Answer::to(self.request(Method::GET, &url)).await?;
            (answer.body["status"] == status).then_some(())
        })
        .await;
    }

    /// Replaces the faults of the providers.
    pub async fn faults(&self, faults: Value) {
        let url = format!("{}/faults", self.suite.up_json_text("/sandbox/url"));
        self.succeed(Method::PUT, &url, Some(faults)).await;
    }

    /// The entries of an order in the providers' ledger.
    pub async fn ledger(&self, order: OrderId) -> Ledger {
        let sandbox = self.suite.up_json_text("/sandbox/url");
        self.get(&format!("{sandbox}/ledger?order_id={order}")).await
    }

    /// Retries a refused refund, as an operator does.
    pub async fn retry_refund(&self, order: OrderId) -> Answer {
        let payment = self.suite.up_json_text("/payment/admin_url");
        let url = format!("{payment}/admin/payments/{order}/refund");
        self.send(self.request(Method::POST, &url)).await
    }

    /// Reads JSON. The request is repeated until it is answered with 200.
    pub async fn get<T: DeserializeOwned>(&self, url: &str) -> T {
        until(&format!("{url} is answered"), async || {
            let answer = Answer::to(self.request(Method::GET, url)).await?;
            let answer = (answer.status == StatusCode::OK).then_some(answer.body)?;
            Some(serde_json::from_value(answer).expect("JSON of the documented shape"))
        })
        .await
    }

    /// A snapshot of the whole suite.
    pub async fn snapshot(&self) -> Snapshot {
        let snapshot = audit::collect(&self.http, &self.suite.addresses()).await;
        snapshot.expect("every service answers")
    }

    /// A snapshot of this visitor's orders and products.
    pub async fn own(&self) -> Snapshot {
        let (accepted, skus) = (self.accepted.borrow().clone(), self.skus.borrow().clone());
        self.snapshot().await.of(&accepted, &skus)
    }

    /// Asserts that all accepted orders end, and that `quintet audit` finds the suite sound. Every scenario ends with this.
    pub async fn assert_sound(&self) {
        for order in self.accepted() {
            self.until(order, "ended", OrderView::has_ended).await;
        }
        let (mut code, mut report) = self.suite.audit("60s").await;
        for _ in 0..REPEATS {
            // Other scenarios on the same suite may keep it from rest for a while.
            if code == Some(NOT_AT_REST) {
                (code, report) = self.suite.audit("60s").await;
            }
        }
        assert_eq!(code, Some(0), "the audit does not hold:\n{report:#}");
        let invariants = report["invariants"].as_array().expect("a list");
        let holding = invariants.iter().filter(|invariant| invariant["holds"] == true);
        assert_eq!(holding.count(), INVARIANTS, "{report:#}");
    }

    /// A URL of the order service, at the next replica.
    fn url(&self, path: &str) -> String {
        let replicas = self.suite.replicas("order");
        let requests = self.requests.replace(self.requests.get() + 1);
        format!("{}{path}", replicas[requests % replicas.len()].url)
    }

    /// Begins a request to any URL.
    pub fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// Sends a request, which must succeed.
    async fn succeed(&self, method: Method, url: &str, body: Option<Value>) {
        let mut request = self.request(method, url).header("idempotency-key", unique());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = self.send(request).await;
        assert!(answer.status.is_success(), "{url}: {}", answer.body);
    }
}

impl Answer {
    /// Sends a request; `None` if it is not answered.
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
