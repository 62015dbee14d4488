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
    connection::{Answer, Asked, Connection, Phase},
    counts::{Counts, Refusal},
    crowd::{Crowd, Member},
    quota::{Quota, Share},
    stream::Stream,
};

/// The longest head of a request, in bytes; a longer one is answered 431.
pub const HEAD_BYTES: usize = 16 * 1024;
/// What the kernel keeps of a connection in each direction, in bytes. It would take megabytes of a client that
/// does not read, and counts them as the container's memory.
const SOCKET_BYTES: usize = 64 * 1024;
/// How much of a refused request is read and forgotten.
const FORGOTTEN: usize = 64 * 1024 * 1024;
/// How long accepting rests after it failed for want of file handles.
const HANDLES_PAUSE: Duration = Duration::from_millis(50);
/// How often the log says that connections are refused.
const TELL: Duration = Duration::from_mins(1);

/// The bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Connections beyond that, which may only ask for health.
    pub health_connections: usize,
    /// Connections of one client address that is no proxy; 0 for no limit.
    pub per_address: usize,
    /// How long a request's head may take to come.
    pub head: Duration,
    /// How long a connection may wait for its next request.
    pub idle: Duration,
    /// How long a client may not read on in its answer.
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

/// A socket, and what it serves.
#[derive(Debug)]
pub struct Listener {
    /// The name in metrics and the log.
    pub name: &'static str,
    /// Where clients connect.
    pub socket: TcpListener,
    /// What they can take.
    pub limits: Limits,
    /// What answers.
    pub router: Router,
}

/// Serves listeners, which share the memory and the file handles of a process.
#[derive(Debug)]
pub struct Server {
    crowd: Arc<Crowd>,
    counts: Counts,
    proxies: Proxies,
    /// Closes connections that are late; it begins with the first listener.
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
    /// Behind these proxies.
    #[must_use]
    pub fn new(proxies: Proxies) -> Self {
        let counts = Counts::default();
        let crowd = Crowd::new(counts.clone());
        Self { crowd, counts, proxies, watching: OnceLock::new() }
    }

    /// Shows what it counts.
    pub fn register(&self, registry: &mut Registry) {
        self.counts.register(registry);
    }

    /// Serves until `stop` says so, then lets requests in flight end.
    pub async fn serve(&self, listener: Listener, stop: watch::Receiver<bool>) {
        let Listener { name, socket, limits, router } = listener;
        self.watching.get_or_init(|| {
            let crowd = Arc::clone(&self.crowd);
            tokio::spawn(async move { crowd.watch().await }).abort_handle()
        });
        // Connections inherit them. Without them all works as well, but for the memory of the kernel.
        let _ = sockopt::set_socket_send_buffer_size(&socket, SOCKET_BYTES);
        let _ = sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BYTES);
        let door = Door {
            name,
            limits,
            router,
            server: self,
            addresses: Quota::new(usize::MAX, limits.per_address),
            open: Arc::default(),
            told: Mutex::default(),
        };
        door.serve(socket, stop).await;
    }
}

/// A listener at work.
struct Door<'s> {
    name: &'static str,
    limits: Limits,
    router: Router,
    server: &'s Server,
    addresses: Arc<Quota>,
    open: Arc<AtomicUsize>,
    /// When the log last said that connections are refused.
    told: Mutex<Option<Instant>>,
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
                    Err(error) if is_of_one_connection(&error) => {}
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
            self.tell("all have a request in flight; more may only ask for health");
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

    /// Says why, as far as the client can hear it at once.
    fn refuse(&self, stream: TcpStream, refusal: Refusal, why: &str) {
        const PROBLEM: &str = "{\"status\":503,\"title\":\"Service Unavailable\",\"detail\":\"too many \
            connections are open; close some, or connect again later\"}";
        self.server.counts.refused(self.name, refusal);
        self.tell(why);
        if let Ok(mut stream) = stream.into_std() {
            let length = PROBLEM.len();
            let head =
                "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n";
            let answer = format!(
                "{head}retry-after: 1\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{PROBLEM}"
            );
            let _ = stream.write(answer.as_bytes());
        }
    }

    /// Closing a connection that waits gives a handle back, so that this listener goes on.
    async fn out_of_handles(&self, error: &io::Error) {
        self.server.counts.refused(self.name, Refusal::Handles);
        self.tell(&format!("{error}; raise the limit of open files (ulimit -n)"));
        self.server.crowd.replace_one(None);
        sleep(HANDLES_PAUSE).await;
    }

    fn tell(&self, why: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if told.is_none_or(|told| now.duration_since(told) >= TELL) {
            *told = Some(now);
            let (listener, open) = (self.name, self.open.load(Relaxed));
            tracing::warn!(
                "the {listener} listener refuses connections, {open} are open: {why} (said once a minute; \
                 quintet_http_connections_refused_total counts them)"
            );
        }
    }
}

async fn until(stop: &mut watch::Receiver<bool>) {
    // An error means that nothing can say so any more.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The client went before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A place among those that a listener has.
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

/// A connection that was accepted, with what it takes.
struct Guest {
    member: Member,
    _place: Place,
    _share: Option<Share>,
    peer: Peer,
}

impl Guest {
    async fn serve(self, socket: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
        // Events of a stream are small and must not wait for more.
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
                let of = Arc::clone(&connection);
                let request = request.map(|body| Body::new(Asked::new(body, of)));
                let Ok(mut answered) = router.call(request).await;
                if connection.is_left_unread() {
                    // A client that used it once more would be cut off.
                    let close = HeaderValue::from_static("close");
                    answered.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(answered.map(|body| Answer::new(body, connection)))
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
            leftover.linger(FORGOTTEN).await;
        }
    }
}
