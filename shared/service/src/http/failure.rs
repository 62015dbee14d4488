//! The registry of the problems that any service answers with: the responses and docs/reference/errors.md are made of it.

use axum::http::StatusCode;
use edge::Foreign;
use strum::VariantArray;

use super::Problem;

/// Makes [`Failure`] out of a table: the status, the header that is wrong if it is one, the seconds of `Retry-After` if
/// there are any, the problem's `detail`, and when it occurs. `{name}` in a detail stands for what only the request tells.
macro_rules! failures {
    ($($name:ident: $status:ident $(of $header:literal)? $(retry $seconds:literal)?, $detail:literal, $when:literal;)+) => {
        /// A reason why a service does not carry out a request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
        pub(crate) enum Failure { $($name,)+ }

        impl Failure {
            /// What there is to know about it.
            pub(crate) const fn explained(self) -> Explained<&'static str> {
                match self {
                    $(Self::$name => Explained {
                        status: StatusCode::$status,
                        header: failures!(@optional $($header)?),
                        retry_after: failures!(@optional $($seconds)?),
                        detail: $detail,
                        when: $when,
                    },)+
                }
            }
        }
    };
    (@optional) => { None };
    (@optional $value:literal) => { Some($value) };
}

failures! {
    NotJson: BAD_REQUEST, "the body is not JSON: {why}", "The body of the request is not JSON.";
    TooDeep: BAD_REQUEST, "the body is nested too deeply; no request needs that",
        "The JSON of the body has more levels than the service reads.";
    BrokenBody: BAD_REQUEST, "the body broke off; send it whole",
        "The connection ended before the body was complete.";
    WrongParameter: BAD_REQUEST, "{name} {rule}",
        "A parameter or a header is missing or has a value that the service does not take. `errors` lists each.";
    NoRoute: NOT_FOUND, "there is no such route", "The listener has no route with this path.";
    Unknown: NOT_FOUND, "there is no {what}", "What the path names does not exist.";
    WrongMethod: METHOD_NOT_ALLOWED, "this route does not take this method",
        "The route exists, but not with this method.";
    LateBody: REQUEST_TIMEOUT, "the body did not come within {time}; send it again, all at once",
        "The client sends the body too slowly.";
    TooLarge: PAYLOAD_TOO_LARGE, "the body must have {bytes} bytes at most",
        "The body is larger than any request needs.";
    NotUtf8: UNSUPPORTED_MEDIA_TYPE, "send the body as UTF-8, the encoding of JSON",
        "The header `content-type` names another character set.";
    NotDeclared: UNSUPPORTED_MEDIA_TYPE,
        "send the body as JSON, with the header content-type: application/json",
        "The header `content-type` is missing or names something else than JSON.";
    Compressed: UNSUPPORTED_MEDIA_TYPE,
        "send the body without Content-Encoding: no compression is supported",
        "The body is compressed.";
    WrongField: UNPROCESSABLE_ENTITY, "{pointer} {rule}",
        "A field of the body is missing or has a value that the service does not take. `errors` lists each.";
    KeyReused: UNPROCESSABLE_ENTITY of "Idempotency-Key",
        "was used for a request with another body. To repeat that request, send its body again; only a request to be \
         carried out in addition needs a new key",
        "An earlier request had this `Idempotency-Key` and another body.";
    Busy: TOO_MANY_REQUESTS retry 1,
        "too many requests are waiting; send it again later, under the same key",
        "As many requests wait for the engine as the setting `commands.queue` allows.";
    StreamsTaken: TOO_MANY_REQUESTS retry 5,
        "all event streams are taken; ask for the {noun} itself instead, or come back later",
        "As many event streams are open as the setting `http.streams` allows.";
    StreamsOfClientTaken: TOO_MANY_REQUESTS retry 5,
        "this client has as many event streams as one client may have; close some, or ask for the {noun} itself instead",
        "The client has as many event streams open as the setting `http.streams_per_client` allows.";
    Failed: INTERNAL_SERVER_ERROR, "the request could not be carried out; the service's log says why",
        "The service has a fault, or its database refuses the change for good.";
    Unreadable: INTERNAL_SERVER_ERROR, "the answer could not be read; the service's log says why",
        "A row of the database cannot be read.";
    Unwritable: INTERNAL_SERVER_ERROR, "the answer cannot be written; the service's log says why",
        "The rows of a listing cannot be written as JSON.";
    MetricsUnwritable: INTERNAL_SERVER_ERROR,
        "the metrics cannot be written; the service's log says why",
        "The metrics cannot be written as text.";
    OutboxFull: SERVICE_UNAVAILABLE retry 5,
        "the broker is away and too much waits for it; send it again later",
        "As many events wait for the broker as the setting `outbox.limit` allows.";
    DatabaseOutage: SERVICE_UNAVAILABLE retry 5,
        "the database takes no changes at the moment: it is away, or full; send it again later, under the same key",
        "The database has not committed for some time.";
    Stopping: SERVICE_UNAVAILABLE retry 1, "the service is stopping; send it again, under the same key",
        "The service was told to stop.";
    CommandTimedOut: SERVICE_UNAVAILABLE retry 1,
        "the database does not take the change at the moment, and may still take it; send it again later, under the \
         same key",
        "The database has not committed the change within the time of a request.";
    ReadOnly: SERVICE_UNAVAILABLE retry 1, "the database is read-only; try again later",
        "The database takes no changes, as a standby of PostgreSQL does.";
    DatabaseFull: SERVICE_UNAVAILABLE retry 1, "the database is full; try again later",
        "The SQLite file and its write-ahead log have the size that the setting `database.max_mib` allows, and another program \
         keeps the log from being emptied.";
    DatabaseAway: SERVICE_UNAVAILABLE retry 1, "the database does not answer; try again later",
        "The service cannot read its database.";
    TooSlow: SERVICE_UNAVAILABLE retry 1,
        "it takes too long; send it again later, a change under the same Idempotency-Key",
        "The service has not answered within the time of a request.";
    BodiesCrowded: SERVICE_UNAVAILABLE retry 1,
        "too many bodies are on their way; send it again later, under the same Idempotency-Key",
        "As much of request bodies is on its way as the setting `http.bodies_mib` allows.";
    ListingsBusy: SERVICE_UNAVAILABLE retry 1,
        "too many listings are being read; send it again later",
        "As many listings read the database as the setting `http.listings` allows.";
    ListingsUnread: SERVICE_UNAVAILABLE retry 1,
        "{whose} not read what was listed before; read it, ask with a smaller limit, or send it again later",
        "As much of listings is unread as the setting `http.answers_mib` allows, of all clients or of this one.";
    HealthOnly: SERVICE_UNAVAILABLE retry 1,
        "too many connections have a request in flight; this one may only ask for /health/live and /health/ready; send it \
         again later",
        "All connections that the setting `http.connections` allows have a request in flight.";
}

/// What there is to know about a problem that any service may answer with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained<T = String> {
    /// The status.
    pub status: StatusCode,
    /// The header that is wrong, if it is always the same one.
    pub header: Option<&'static str>,
    /// The seconds of `Retry-After`.
    pub retry_after: Option<u32>,
    /// What the response says is wrong, and what to do. `{name}` stands for what only the request tells.
    pub detail: T,
    /// When it occurs.
    pub when: T,
}

impl Failure {
    pub(crate) fn status(self) -> StatusCode {
        self.explained().status
    }

    /// The response, with these texts in the places of `{name}`.
    pub(crate) fn with(self, texts: &[(&str, &str)]) -> Problem {
        let Explained { status, header, retry_after, detail, .. } = self.explained();
        let detail = texts.iter().fold(detail.to_owned(), |detail, (name, text)| {
            detail.replace(&format!("{{{name}}}"), text)
        });
        let problem = match header {
            Some(header) => Problem::field(status, header, &detail),
            None => Problem::new(status, &detail),
        };
        match retry_after {
            Some(seconds) => problem.retry_after(seconds),
            None => problem,
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        failure.with(&[])
    }
}

/// All problems that any service may answer with, by status. What a route alone answers is in its OpenAPI description.
#[must_use]
pub fn failures() -> Vec<Explained> {
    let ours = Failure::VARIANTS.iter().map(|failure| {
        let Explained { status, header, retry_after, detail, when } = failure.explained();
        Explained { status, header, retry_after, detail: detail.to_owned(), when: when.to_owned() }
    });
    let of_listener = [
        (
            Foreign::NoHost,
            "The request has no header `Host`, several of them, or one that is not a host.",
        ),
        (
            Foreign::OtherHost { setting: "http.hosts" },
            "The listener does not answer under the name in the header `Host`: the public one under those in `http.hosts`, \
             the admin one under addresses, names without a dot and those in `http.admin_hosts`.",
        ),
        (
            Foreign::OtherSite { header: "Origin" },
            "A browser sends a change for a web page whose origin is not in `cors.origins`.",
        ),
    ];
    let of_listener = of_listener.into_iter().map(|(foreign, when)| Explained {
        status: foreign.status(),
        header: Some(foreign.header()),
        retry_after: None,
        detail: foreign.to_string(),
        when: when.to_owned(),
    });
    let full = Explained {
        status: StatusCode::SERVICE_UNAVAILABLE,
        header: None,
        retry_after: Some(edge::FULL_RETRY_AFTER),
        detail: edge::FULL.to_owned(),
        when: "The listener takes no further connection, or none of this address.".to_owned(),
    };
    let mut all: Vec<Explained> = ours.chain(of_listener).chain([full]).collect();
    all.sort_by_key(|explained| explained.status);
    all
}
