use std::{
    convert::Infallible,
    io::{self, Write},
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, header},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};
use rustix::net::sockopt;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep},
};
use tower_service::Service;

use crate::{
    client::{Peer, Proxies, network},
    connection::{AnswerBody, Connection, Phase, RequestBody},
    counts::{Counts, Refusal},
    crowd::{Crowd, Member},
    quota::{Quota, Share},
    stream::Stream,
};

/// The longest head of a request, in bytes; a longer one is answered 431.
pub const HEAD_BYTES: usize = 16 * 1024;
/// The detail of the problem that a client reads when its connection is refused.
pub const FULL: &str = "too many connections are open; close some, or connect again later";
/// After how many seconds the client may try again.
pub const FULL_RETRY_AFTER: u32 = 1;
/// The size of the kernel's buffers for a connection in each direction, in bytes. By default they would grow to
/// megabytes for a client that does not read, and they count as memory of the container.
const SOCKET_BYTES: usize = 64 * 1024;
/// How much of a refused request is read and discarded.
const MAX_DISCARDED: usize = 64 * 1024 * 1024;
/// How long the listener waits after it could not accept a connection because there was no file handle.
const HANDLES_PAUSE: Duration = Duration::from_millis(50);
/// How often the log says that connections are refused.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// The limits of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many connections there may be at a time.
    pub connections: usize,
    /// How many more connections there may be, which may only ask for health.
    pub health_connections: usize,
    /// How many connections a client address may have, unless it is a proxy; 0 for no limit.
    pub per_address: usize,
    /// How long the head of a request may take.
    pub head: Duration,
    /// How long a connection may wait for its next request.
    pub idle: Duration,
    /// How long a client may not read its answer.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2_048,
            health_connections: 64,
            per_address: 0,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(10),
        }
    }
}

/// A socket with its limits and its router.
#[derive(Debug)]
pub struct Listener {
    /// The name in metrics and the log.
    pub name: &'static str,
    /// The socket that clients connect to.
    pub socket: TcpListener,
    /// The limits of its clients.
    pub limits: Limits,
    /// The router that answers requests.
    pub router: Router,
}

/// A server of several listeners, which share the memory and the file handles of a process.
#[derive(Debug)]
pub struct Server {
    crowd: Arc<Crowd>,
    counts: Counts,
    proxies: Proxies,
    /// The task that closes connections that are over a time limit. It starts with the first listener.
    watching: OnceLock<AbortHandle>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(watching) = self.watching.get() {
            watching.abort();
        }
    }
}

impl Server {
    /// A server behind these proxies.
    #[must_use]
    pub fn new(proxies: Proxies) -> Self {
        let counts = Counts::default();
        let crowd = Crowd::new(counts.clone());
        Self { crowd, counts, proxies, watching: OnceLock::new() }
    }

    /// Adds the metrics to a registry.
    pub fn register(&self, registry: &mut Registry) {
        self.counts.register(registry);
    }

    /// Adds a series of each metric, so that the registry tells the names of their labels: for a reference page.
    pub fn show_labels(&self) {
        self.counts.open("public");
        self.counts.open("admin");
    }

    /// Serves until `stop` is true, then waits until requests in flight are answered.
    pub async fn serve(&self, listener: Listener, stop: watch::Receiver<bool>) {
        let Listener { name, socket, limits, router } = listener;
        self.watching.get_or_init(|| {
            let crowd = Arc::clone(&self.crowd);
            tokio::spawn(async move { crowd.watch().await }).abort_handle()
        });
        // Connections inherit these sizes. If they cannot be set, the kernel only uses more memory.
        let _ = sockopt::set_socket_send_buffer_size(&socket, SOCKET_BYTES);
        let _ = sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BYTES);
        let door = Door {
            name,
            limits,
            router,
            server: self,
            addresses: Quota::new(usize::MAX, limits.per_address),
            open: Arc::default(),
            logged_at: Mutex::default(),
        };
        door.serve(socket, stop).await;
    }
}

/// A listener that accepts connections.
struct Door<'s> {
    name: &'static str,
    limits: Limits,
    router: Router,
    server: &'s Server,
    addresses: Arc<Quota>,
    open: Arc<AtomicUsize>,
    /// When the log last said that connections are refused.
    logged_at: Mutex<Option<Instant>>,
}

impl Door<'_> {
    async fn serve(&self, socket: TcpListener, stop: watch::Receiver<bool>) {
        let (mut stopping, mut served) = (stop.clone(), JoinSet::new());
        let mut stopped = pin!(until(&mut stopping));
        loop {
            tokio::select! {
                () = &mut stopped => break,
                Some(_) = served.join_next() => {}
                accepted = socket.accept() => match accepted {
                    Ok((stream, from)) => self.admit(stream, from, &stop, &mut served),
                    Err(error) if is_aborted(&error) => {}
                    Err(error) => self.out_of_handles(&error).await,
                },
            }
        }
        drop(socket);
        while served.join_next().await.is_some() {}
    }

    fn admit(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        stop: &watch::Receiver<bool>,
        served: &mut JoinSet<()>,
    ) {
        let address = from.ip().to_canonical();
        let is_proxy = self.server.proxies.contain(address);
        let client = if is_proxy { None } else { Some(network(address)) };
        let share = client.map(|client| self.addresses.take(client, 1)).transpose();
        let Ok(share) = share else {
            return self.refuse(stream, Refusal::Address, &format!("{address} has too many"));
        };
        let open = self.open.load(Relaxed);
        let replaced =
            open >= self.limits.connections && self.server.crowd.replace_one(Some(self.name));
        let health_only = open >= self.limits.connections && !replaced;
        if health_only && open >= self.limits.connections + self.limits.health_connections {
            return self.refuse(stream, Refusal::Full, "all have a request in flight");
        }
        if health_only {
            self.log("all have a request in flight; more may only ask for health");
        }
        let connection = Connection::new(self.name, self.limits, self.server.crowd.clock());
        let guest = Guest {
            member: self.server.crowd.admit(connection),
            _place: Place::new(&self.open, self.server.counts.open(self.name)),
            _share: share,
            peer: Peer { address, is_proxy, health_only },
        };
        let connection = Arc::clone(&guest.member.connection);
        let task = served.spawn(guest.serve(stream, self.router.clone(), stop.clone()));
        connection.set_task(task);
    }

    /// Refuses a connection with 503, as far as that fits into the socket's buffer: no task waits for the client.
    fn refuse(&self, stream: TcpStream, refusal: Refusal, why: &str) {
        self.server.counts.refused(self.name, refusal);
        self.log(why);
        if let Ok(mut stream) = stream.into_std() {
            let problem = format!(
                "{{\"status\":503,\"title\":\"Service Unavailable\",\"detail\":\"{FULL}\"}}"
            );
            let length = problem.len();
            let head =
                "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n";
            let answer = format!(
                "{head}retry-after: {FULL_RETRY_AFTER}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{problem}"
            );
            let _ = stream.write(answer.as_bytes());
        }
    }

    /// Closes a waiting connection, whose handle the listener can use for the next one.
    async fn out_of_handles(&self, error: &io::Error) {
        self.server.counts.refused(self.name, Refusal::Handles);
        self.log(&format!("{error}; raise the limit of open files (ulimit -n)"));
        self.server.crowd.replace_one(None);
        sleep(HANDLES_PAUSE).await;
    }

    fn log(&self, why: &str) {
        let mut logged_at = self.logged_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if logged_at.is_none_or(|at| now.duration_since(at) >= LOG_INTERVAL) {
            *logged_at = Some(now);
            let (listener, open) = (self.name, self.open.load(Relaxed));
            tracing::warn!(
                "the {listener} listener refuses connections, {open} are open: {why} (logged once a \
                 minute; quintet_http_connections_refused_total counts them)"
            );
        }
    }
}

/// Waits until `stop` is true.
async fn until(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Whether the client has closed the connection before it was accepted.
fn is_aborted(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One of the places that a listener has for connections, which is freed when this is dropped.
struct Place {
    open: Arc<AtomicUsize>,
    shown: Gauge,
}

impl Place {
    fn new(open: &Arc<AtomicUsize>, shown: Gauge) -> Self {
        open.fetch_add(1, Relaxed);
        shown.inc();
        Self { open: Arc::clone(open), shown }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Relaxed);
        self.shown.dec();
    }
}

/// An accepted connection, with all that it uses of the limits.
struct Guest {
    member: Member,
    _place: Place,
    _share: Option<Share>,
    peer: Peer,
}

impl Guest {
    async fn serve(self, socket: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
        // Events of a stream are small, and must be sent without waiting for more.
        let _ = socket.set_nodelay(true);
        let connection = &self.member.connection;
        let (stream, leftover) = Stream::new(socket, Arc::clone(connection));
        let peer = self.peer;
        let answer = service_fn(move |mut request: Request<Incoming>| {
            connection.enter(Phase::Busy);
            request.extensions_mut().insert(peer);
            let mut router = router.clone();
            let connection = Arc::clone(connection);
            async move {
                let reading = Arc::clone(&connection);
                let request = request.map(|body| Body::new(RequestBody::new(body, reading)));
                let Ok(mut answer) = router.call(request).await;
                if connection.is_left_unread() {
                    // The connection will be closed, so the client must not send another request on it.
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(answer.map(|body| AnswerBody::new(body, connection)))
            }
        });
        {
            let mut http = http1::Builder::new();
            http.max_buf_size(HEAD_BYTES);
            let mut serving = pin!(http.serve_connection(TokioIo::new(stream), answer));
            let stopped = pin!(until(&mut stop));
            let ended = tokio::select! {
                ended = serving.as_mut() => Some(ended),
                () = stopped => None,
            };
            if ended.is_none() {
                serving.as_mut().graceful_shutdown();
                let _ = serving.await;
            }
        }
        connection.enter(Phase::Closing);
        if !*stop.borrow() {
            leftover.linger(MAX_DISCARDED).await;
        }
    }
}
