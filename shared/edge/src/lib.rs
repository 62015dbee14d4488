//! HTTP listeners that limit the resources that clients can use.
//!
//! A [`Server`] accepts connections for an axum router within these limits, which [`Limits`] has:
//!
//! - **Connections**, per listener and per client address. A full listener closes the connection that
//!   has waited longest for its client to send a request or to read an answer, so idle clients cannot keep
//!   working clients out. A few more connections are accepted only to ask for health.
//! - **Time**: for a request's head, between two requests, and while a client does not read its answer.
//! - **Memory**: a head has [`HEAD_BYTES`] at most, and the kernel's buffers are limited too.
//! - **File handles**: [`raise_handle_limit`] raises the soft limit. If handles run out all the same, the
//!   server counts that, logs it once a minute, and closes a waiting connection to get a handle.
//!
//! Further: [`Quota`] limits a resource that clients share; [`Proxies`] finds the client behind a load balancer;
//! [`Hosts`] refuses requests of foreign web pages.

mod client;
mod connection;
mod counts;
mod crowd;
mod handles;
mod hosts;
mod quota;
mod serve;
mod stream;

pub use client::{Peer, Proxies};
pub use counts::Counts;
pub use handles::{cap_connections, raise_handle_limit};
pub use hosts::{Foreign, Hosts};
pub use quota::{Exceeded, Quota, Share};
pub use serve::{FULL, FULL_RETRY_AFTER, HEAD_BYTES, Limits, Listener, Server};
