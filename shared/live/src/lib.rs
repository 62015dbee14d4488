//! The live feed: clients see events as they happen, and go on where they were after a lost connection.
//!
//! - [`Hub`] distributes messages within a process.
//! - [`Feed`] publishes all records of a bus into a hub, at each replica. It needs no broker of its own: each replica
//!   reads all partitions, and belongs to no group.
//! - A *cursor* is a text that says which records a client has seen. It is authenticated, so clients cannot make one.
//!   Any replica that has the same key resumes from it.
//!
//! # What it promises
//!
//! - *Publishing never waits*, neither for subscribers nor for anything else. Without subscribers it does nothing.
//! - *One subscriber harms no other.* A slow one loses the oldest messages of its own queue. One whose filter panics is
//!   removed. One that is dropped is forgotten at once.
//! - *At most once and in order.* Within a session, from a [`Feed::subscribe`] to the drop of its [`Subscription`],
//!   each record comes at most once, and the records of a partition come in their order. Only after a
//!   [`Delivery::Reset`] may records come again, as the snapshot may have them too.
//! - *Nothing is lost silently.* A record that the filter accepts comes, unless the subscriber was told
//!   [`Delivery::Lagged`] or [`Delivery::Reset`], or the subscription has ended with an error.
//! - *A cursor resumes exactly.* A session with the same filter that begins with the cursor of another one gets the
//!   records that the other had not got by then, and no others. If that is impossible, it is told [`Delivery::Reset`].
//!   Of records that the other was told to have missed, it gets those after the cursor.
//!
//! # What it does not promise
//!
//! - It does not remember for how long a client was away: a record is there as long as the bus keeps it.
//! - There is no order between partitions.
//! - It does not know events. An event that its publisher has sent twice is two records: compare the events' ids.
//! - A broker that loses records which it has acknowledged, and publishes others at their offsets before a client comes
//!   back, is not noticed by that client's cursor.
//! - A cursor is authenticated, not encrypted: it shows topics and offsets.
//!
//! # A client's protocol
//!
//! A client that is told `Reset` gets a snapshot of what it shows, and then applies the deliveries that follow. These
//! are all records since the reset, so that none is missing between the two; the snapshot may have some of them
//! already.

mod cursor;
mod feed;
mod hub;
mod positions;

pub use cursor::{CursorError, CursorKey, ShortKey};
pub use feed::{Delivery, Feed, FeedSettings, Reset, SubscribeError, Subscription};
pub use hub::{Ended, Filter, Hub, HubSubscription, Message, Received};
