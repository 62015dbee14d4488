//! The order service with its database, bus and HTTP listeners. The tests publish the events of the other services.

use std::{path::Path, sync::Arc, time::Duration};

use contracts::{Event, OrderId, Shortage, StockRejected};
use edge::{Hosts, Limits, Listener, Proxies, Server};
use order::{OrderService, Policy};
use quintet::{
    App, Clock, Db, Service, Trace, Versions,
    bus::{Bus, DEFAULT_MAX_RECORD_BYTES, Log, LogOptions, Topic},
    clock::{SystemClock, SystemRandom},
    engine::{Engine, EngineOptions, Runtime, Settings, Surroundings},
    event::encode,
    http::{Room, Streams, Waiting, with_origins},
    service::{Parts, Sampling, Telemetry, admin_router, public_router},
    uuid_v7,
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Database, RushingClock, eventually};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// The most event streams of all clients together.
pub const STREAMS: usize = 12;
/// The most event streams of one client.
pub const STREAMS_EACH: usize = 8;

pub struct Rig {
    pub url: String,
    pub admin_url: String,
    pub http: reqwest::Client,
    pub stop: watch::Sender<bool>,
    bus: Arc<dyn Bus>,
    pub db: Db,
    policy: Policy,
    runtime: Option<Runtime<OrderService>>,
    running: Option<JoinHandle<()>>,
    database: Database,
    /// Holds the log's file; deleted with the rig.
    _directory: TempDir,
}

/// A rig for each database. The price list has a mug and a book.
pub async fn rigs() -> Vec<Rig> {
    rigs_with(Policy::default()).await
}

/// A rig for each database, with this policy.
pub async fn rigs_with(policy: Policy) -> Vec<Rig> {
    let mut rigs = Vec::new();
    for database in testkit::databases().await {
        let served = Served::new(Settings::default(), policy);
        rigs.push(Rig::on(database, None, served).await.run());
    }
    rigs
}

/// A rig for each database, with deadlines of zero.
pub async fn overdue() -> Vec<Rig> {
    rigs_with(Policy {
        paid: Duration::ZERO,
        first: Duration::ZERO,
        second: Duration::ZERO,
        ..Policy::default()
    })
    .await
}

impl Rig {
    /// A rig with a database in memory, on this bus or else on a log. Its engine does not run yet.
    pub async fn waiting(bus: Option<Arc<dyn Bus>>, settings: Settings) -> Self {
        let served = Served::new(settings, Policy::default());
        Self::on(Database::in_memory().await, bus, served).await
    }

    /// The same for requests whose wall clock jumps all the time.
    pub async fn rushing(bus: Arc<dyn Bus>) -> Self {
        let served = Served::new(Settings::default(), Policy::default());
        let served = Served { clock: Arc::new(RushingClock::default()), ..served };
        Self::on(Database::in_memory().await, Some(bus), served).await
    }

    pub async fn running() -> Self {
        Self::waiting(None, Settings::default()).await.run()
    }

    async fn on(database: Database, bus: Option<Arc<dyn Bus>>, served: Served) -> Self {
        let db =
            database.migrated(quintet::engine::migrations().and(OrderService::migrations())).await;
        let mug = "insert into product (sku, name, price_minor, currency, version) \
                   values ('mug', 'Mug', 1298, 'EUR', 1), ('book', 'Book', 2000, 'USD', 1)";
        let mut tx = db.begin().await.unwrap();
        tx.execute(mug, Vec::new()).await.unwrap();
        tx.commit().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let bus = match bus {
            Some(bus) => bus,
            None => log(directory.path()).await,
        };
        let (stop, stopping) = watch::channel(false);
        let backends = Backends { db: &db, health: database.connect().await, bus: &bus };
        let policy = served.policy;
        let (urls, runtime) = serve(backends, served, stopping).await;
        let [url, admin_url] = urls;
        let (http, runtime, running) = (reqwest::Client::new(), Some(runtime), None);
        Self {
            url,
            admin_url,
            http,
            stop,
            bus,
            db,
            policy,
            runtime,
            running,
            database,
            _directory: directory,
        }
    }

    /// Starts the engine.
    pub fn run(mut self) -> Self {
        let stopping = self.stop.subscribe();
        self.running = self.runtime.take().map(|runtime| {
            tokio::spawn(async move { runtime.run(stopping).await.expect("nothing fatal") })
        });
        self
    }

    /// The address of another replica. It serves HTTP but applies no inputs, and no web page may call it.
    pub async fn another(&self) -> String {
        let served = Served { pages: false, ..Served::new(Settings::default(), self.policy) };
        let health = self.database.connect().await;
        let backends = Backends { db: &self.db, health, bus: &self.bus };
        let (urls, _) = serve(backends, served, self.stop.subscribe()).await;
        let [url, _] = urls;
        url
    }

    /// Whether its database is in memory and so has a single connection.
    pub fn in_memory(&self) -> bool {
        self.database.url() == "sqlite::memory:"
    }

    pub async fn get(&self, path: &str) -> Response {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    pub async fn ask_admin(&self, path: &str) -> Response {
        self.http.get(format!("{}{path}", self.admin_url)).send().await.unwrap()
    }

    pub async fn post(&self, body: &Value) -> Response {
        self.http.post(format!("{}/orders", self.url)).json(body).send().await.unwrap()
    }

    /// Places an order and returns its id.
    pub async fn place(&self) -> String {
        let response = self.post(&order()).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        response.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Publishes an event of another service, and waits until it is in the order's timeline.
    pub async fn hears(&self, order: &str, event: impl Into<Event>) {
        let event = event.into();
        let id = uuid_v7(&SystemClock, &SystemRandom).into();
        let (at, versions) = (SystemClock.now(), Versions::default());
        let encoded = encode(id, "/quintet/test", at, &Trace::default(), &event, &versions);
        let published = self.bus.producer().await.unwrap().publish(&[encoded.into()]).await;
        assert!(published.error.is_none(), "{:?}", published.error);
        let id = id.to_string();
        eventually("the event in the timeline", async || {
            let view = self.get(&format!("/orders/{order}")).await.json::<Value>().await.unwrap();
            let heard = view["timeline"].as_array().unwrap().iter();
            heard.clone().any(|entry| entry["event_id"] == id).then_some(())
        })
        .await;
    }
}

async fn log(directory: &Path) -> Arc<dyn Bus> {
    let options = LogOptions { poll: Duration::from_millis(5), ..LogOptions::default() };
    Arc::new(Log::open(&directory.join("bus.db"), "", options).await.unwrap())
}

/// The origin of the web pages that may call the public listener.
pub const SHOP: &str = "https://shop.example";
/// The address of the list of products that a refusal names.
pub const PRODUCTS: &str = "https://inventory.example/products";

/// The database and bus of a replica.
struct Backends<'r> {
    db: &'r Db,
    health: Db,
    bus: &'r Arc<dyn Bus>,
}

struct Served {
    settings: Settings,
    policy: Policy,
    /// Whether the pages of [`SHOP`] may call.
    pages: bool,
    /// The clock of the HTTP handlers.
    clock: Arc<dyn Clock>,
}

impl Served {
    fn new(settings: Settings, policy: Policy) -> Self {
        Self { settings, policy, pages: true, clock: Arc::new(SystemClock) }
    }
}

async fn serve(
    backends: Backends<'_>,
    served: Served,
    stopping: watch::Receiver<bool>,
) -> ([String; 2], Runtime<OrderService>) {
    let Backends { db, health, bus } = backends;
    let Served { settings, policy, pages, clock } = served;
    let products_url = PRODUCTS.to_owned();
    let order = OrderService { policy, products_url, ..OrderService::default() };
    let random = Arc::new(SystemRandom);
    let options = EngineOptions {
        settings,
        versions: Versions::default(),
        max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
        replica: uuid::Uuid::from_u128(1),
    };
    let outside = Arc::new(quintet::NoEffects);
    let engine = Engine::new(order, db.clone(), Arc::new(SystemClock), options);
    let topics = Topic::all_of::<Event>(2);
    let around = Surroundings { bus: Arc::clone(bus), outside, random: random.clone(), topics };
    let (runtime, commands) = Runtime::new(engine, around);
    let telemetry = Arc::new(Telemetry::of::<OrderService>(Sampling::new(0.0, false)));
    let (engine, bus) = (runtime.engine(), Arc::clone(bus));
    let origins: &[String] = if pages { &[SHOP.to_owned()] } else { &[] };
    let room = Arc::new(room().open_to(origins, OrderService::WRITABLE_BY_PAGES));
    let stopped = stopping.clone();
    let parts = Parts { commands, engine, bus, clock, random, stopping, telemetry, room, health };
    let app = App::from(parts);
    let public = public_router(app.clone());
    let public = with_origins(public, origins, OrderService::WRITABLE_BY_PAGES);
    let urls = [
        listen("public", public, stopped.clone()).await,
        listen("admin", admin_router(app), stopped).await,
    ];
    (urls, runtime)
}

/// Limits with few event streams, so that a test can take them all. Loopback counts as a proxy, so that the tests'
/// client can name other clients in `X-Forwarded-For`.
fn room() -> Room {
    let proxies = Proxies::parse(&["127.0.0.1"]).unwrap();
    let streams = Streams { all: STREAMS, each: STREAMS_EACH };
    let room = Room::new(proxies, streams, 4, Waiting { bodies: 1 << 20, answers: 1 << 20 });
    room.under(Hosts::public(&[]), Hosts::private(&["ops.example".to_owned()]))
}

/// Serves the router on a free port and returns its address.
async fn listen(
    name: &'static str,
    router: axum::Router,
    stopping: watch::Receiver<bool>,
) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let listener = Listener { name, socket, limits: Limits::default(), router };
    tokio::spawn(async move {
        let server = Server::new(Proxies::parse(&["127.0.0.1"]).unwrap());
        server.serve(listener, stopping).await;
    });
    url
}

/// A valid body of `POST /orders`.
pub fn order() -> Value {
    json!({
        "customer": { "email": "ada@example.com" },
        "items": [{ "sku": "mug", "quantity": 1 }],
        "shipping_address": { "name": "Ada", "street": "Ring 1", "city": "Wien",
            "postal_code": "1010", "country": "AT" },
        "payment": { "token": "tok_ok" },
    })
}

/// The body [`order`] with another value at this JSON Pointer.
pub fn with(pointer: &str, value: impl Into<Value>) -> Value {
    let mut order = order();
    *order.pointer_mut(pointer).expect("a field of an order") = value.into();
    order
}

/// Inventory's event for an order when it has no mugs.
pub fn rejected(order_id: OrderId) -> StockRejected {
    let sku = "mug".parse().unwrap();
    StockRejected { order_id, missing: vec![Shortage { sku, requested: 1, available: 0 }] }
}

/// The status, the problem and the fields that it names, of a response that is a problem.
pub async fn problem(response: Response) -> (u16, Value, Vec<String>) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem = response.json::<Value>().await.unwrap();
    assert_eq!(problem["status"], status);
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    let named = errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect();
    (status, problem, named)
}
