//! The limits that all requests share, so that no client can use up the service's connections and memory.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::FromRequestParts,
    http::{Extensions, HeaderMap, header, request::Parts},
    response::{IntoResponse, Response},
};
use edge::{Exceeded, Hosts, Peer, Proxies, Quota, Share};
use engine::Participant;
use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{Failure, Problem, noun};
use crate::App;

/// How long a listing waits for other listings before it is refused.
const LISTING: Duration = Duration::from_secs(1);
/// One client may have this part, a quarter, of the bytes of all unread listings.
const PART: usize = 4;

/// The limits that requests share.
#[derive(Debug)]
pub struct Room {
    /// The hosts that the public listener answers for.
    pub(crate) public: Hosts,
    /// The hosts that the admin listener answers for.
    pub(crate) private: Hosts,
    /// The bytes of request bodies that have not arrived whole.
    pub(crate) bodies: Arc<Quota>,
    proxies: Proxies,
    streams: Arc<Quota>,
    listings: Arc<Semaphore>,
    answers: Arc<Quota>,
}

/// The limits of event streams.
#[derive(Debug, Clone, Copy)]
pub struct Streams {
    /// The most streams of all clients together.
    pub all: usize,
    /// The most streams of one client; 0 for no limit.
    pub each: usize,
}

/// The limits of bytes in memory that wait for slow clients.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// The most bytes of request bodies that have not arrived whole.
    pub bodies: usize,
    /// The most bytes of listings that clients have not read yet.
    pub answers: usize,
}

impl Default for Room {
    /// The limits of the default settings.
    fn default() -> Self {
        let waiting = Waiting { bodies: 32 << 20, answers: 32 << 20 };
        Self::new(Proxies::default(), Streams { all: 1_000, each: 100 }, 4, waiting)
    }
}

impl Room {
    /// The limits for any host behind these proxies. `listings` is the number of listings that may read the database at
    /// once.
    #[must_use]
    pub fn new(proxies: Proxies, streams: Streams, listings: usize, waiting: Waiting) -> Self {
        Self {
            public: Hosts::public(&[]),
            private: Hosts::private(&[]),
            bodies: Quota::new(waiting.bodies, 0),
            proxies,
            streams: Quota::new(streams.all, streams.each),
            listings: Arc::new(Semaphore::new(listings)),
            answers: Quota::new(waiting.answers, waiting.answers.div_ceil(PART)),
        }
    }

    /// Restricts the public and the admin listener to these hosts.
    #[must_use]
    pub fn under(self, public: Hosts, private: Hosts) -> Self {
        Self { public, private, ..self }
    }

    /// Lets web pages of these origins change something below these paths of the public listener.
    #[must_use]
    pub fn open_to(self, origins: &[String], writable: &'static [&'static str]) -> Self {
        Self { public: self.public.with_origins(origins, writable), ..self }
    }

    /// The address of the client that has sent the request; 0.0.0.0 if it is unknown.
    pub(crate) fn client(&self, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
        let peer = extensions.get::<Peer>();
        peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| self.proxies.client(*peer, headers))
    }
}

/// One of the event streams that there may be at once. Dropping it makes room for another.
#[derive(Debug)]
pub struct StreamPlace(#[expect(dead_code, reason = "given back when it is dropped")] Share);

impl<P: Participant> FromRequestParts<App<P>> for StreamPlace {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App<P>) -> Result<Self, Problem> {
        let client = app.room.client(&parts.extensions, &parts.headers);
        let share = app.room.streams.take(client, 1).map_err(|exceeded| {
            let noun = noun::<P::Contract>();
            let failure = match exceeded {
                Exceeded::All => Failure::StreamsTaken,
                Exceeded::Each => Failure::StreamsOfClientTaken,
            };
            failure.with(&[("noun", noun)])
        })?;
        Ok(Self(share))
    }
}

/// The permission to list rows: it bounds how many listings read the database at once, and the bytes of answers that
/// clients have not read.
#[derive(Debug)]
pub struct Listing {
    client: IpAddr,
    answers: Arc<Quota>,
    /// Held until the rows are read from the database.
    _permit: OwnedSemaphorePermit,
}

impl<P: Participant> FromRequestParts<App<P>> for Listing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App<P>) -> Result<Self, Problem> {
        let client = app.room.client(&parts.extensions, &parts.headers);
        let permit = timeout(LISTING, Arc::clone(&app.room.listings).acquire_owned()).await;
        let permit = permit.ok().and_then(Result::ok).ok_or(Failure::ListingsBusy)?;
        Ok(Self { client, answers: Arc::clone(&app.room.answers), _permit: permit })
    }
}

impl Listing {
    /// The answer with these rows as JSON. It ends the permission, so that the next listing may read the database.
    ///
    /// # Errors
    /// 503 if clients have left too many bytes of earlier listings unread.
    pub fn answer(self, rows: &impl Serialize) -> Result<Response, Problem> {
        let json = serde_json::to_vec(rows).map_err(|error| {
            tracing::error!(%error, "a listing cannot be written");
            Failure::Unwritable
        })?;
        let share = self.answers.take(self.client, json.len()).map_err(|exceeded| {
            let whose = match exceeded {
                Exceeded::All => "clients have",
                Exceeded::Each => "this client has",
            };
            Failure::ListingsUnread.with(&[("whose", whose)])
        })?;
        // The share of the quota is dropped with the bytes: when they are sent, or when the client has gone.
        let unread = Bytes::from_owner(Unread { json, _share: share });
        let head = [(header::CONTENT_TYPE, "application/json")];
        Ok((head, Body::from(unread)).into_response())
    }
}

/// The bytes of a listing, with their share of the quota.
struct Unread {
    json: Vec<u8>,
    _share: Share,
}

impl AsRef<[u8]> for Unread {
    fn as_ref(&self) -> &[u8] {
        &self.json
    }
}
