use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// The metrics of a server's connections.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    open: Family<At, Gauge>,
    refused: Family<Because, Counter>,
    closed: Family<Because, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct At {
    listener: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Because {
    listener: &'static str,
    reason: &'static str,
}

/// Why a connection was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The listener has as many connections as it may have.
    Full,
    /// The client's address has as many connections as it may have.
    Address,
    /// The process has no file handles left.
    Handles,
}

/// Why the server closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The head of a request did not come in time.
    Head,
    /// No further request came in time.
    Idle,
    /// The client did not read its answer in time.
    Write,
    /// The connection was waiting for its client, and a new connection took its place.
    Replaced,
}

impl Refusal {
    const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Address => "address",
            Self::Handles => "handles",
        }
    }
}

impl Reason {
    const fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Idle => "idle",
            Self::Write => "write",
            Self::Replaced => "replaced",
        }
    }
}

impl Counts {
    /// Adds the metrics to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Connections of clients that are open, by listener";
        registry.register("http_connections", help, self.open.clone());
        let help = "Connections that were not accepted, by reason: the listener is full of requests in flight, the address has as many as it may, or the process has no file handles left";
        registry.register("http_connections_refused", help, self.refused.clone());
        let help = "Connections that the server closed, by reason: no head of a request came in time, the connection was idle for too long, the client did not read what the server had to write, or a new connection replaced one that waited";
        registry.register("http_connections_closed", help, self.closed.clone());
    }

    /// The gauge of a listener's open connections.
    pub(crate) fn open(&self, listener: &'static str) -> Gauge {
        // Creates the counters at 0: only then does a query of increases see the first one.
        for reason in [Refusal::Full, Refusal::Address, Refusal::Handles].map(Refusal::name) {
            let _ = self.refused.get_or_create_owned(&Because { listener, reason });
        }
        let reasons = [Reason::Head, Reason::Idle, Reason::Write, Reason::Replaced];
        for reason in reasons.map(Reason::name) {
            let _ = self.closed.get_or_create_owned(&Because { listener, reason });
        }
        self.open.get_or_create_owned(&At { listener })
    }

    pub(crate) fn refused(&self, listener: &'static str, refusal: Refusal) {
        self.refused.get_or_create(&Because { listener, reason: refusal.name() }).inc();
    }

    pub(crate) fn closed(&self, listener: &'static str, reason: Reason) {
        self.closed.get_or_create(&Because { listener, reason: reason.name() }).inc();
    }
}
