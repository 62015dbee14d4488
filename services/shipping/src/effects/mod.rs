//! The shipping service's request to the carrier.

mod carrier;

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Address, Item, OrderId};
use quintet::{Attempt, EffectId, Impossible, Outside, Resolution, Trace};
use serde::{Deserialize, Serialize};

pub(crate) use carrier::HttpCarrier;

use crate::ShippingService;

/// A request to take a parcel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Book {
    /// The order whose parcel it is.
    pub order_id: OrderId,
    /// The address to ship to.
    pub address: Address,
    /// The contents.
    pub items: Vec<Item>,
}

/// The carrier's definite answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BookAnswer {
    /// The carrier takes the parcel.
    Booked {
        /// The tracking number.
        tracking: String,
    },
    /// The carrier refuses.
    Refused {
        /// Why.
        reason: String,
    },
}

impl quintet::Effect<OrderId> for Book {
    fn aggregate(&self) -> OrderId {
        self.order_id
    }

    fn name(&self) -> String {
        "book".into()
    }

    /// All bookings to one destination share a key, because they fail together.
    fn isolation_key(&self) -> String {
        format!("destination {} {}", self.address.country, self.address.postal_code.trim())
    }
}

/// The outcome of a held booking, as an operator found it at the carrier.
pub(crate) fn resolve(resolution: &Resolution) -> Result<BookAnswer, Impossible> {
    match resolution.outcome.as_str() {
        "booked" => Ok(BookAnswer::Booked { tracking: resolution.reference()? }),
        "refused" | Resolution::NEVER_ARRIVED => {
            Ok(BookAnswer::Refused { reason: resolution.reason() })
        }
        _ => Err(Impossible::outcome("booked, refused or never_arrived")),
    }
}

/// A carrier that carries out a request once per idempotency key.
#[async_trait]
pub trait Carrier: Send + Sync {
    /// Books the parcel, at most once per key.
    async fn book(&self, key: EffectId, book: &Book, trace: &Trace) -> Attempt<BookAnswer>;
}

/// The shipping service's connection to the outside world.
pub struct Providers(pub Arc<dyn Carrier>);

#[async_trait]
impl Outside<ShippingService> for Providers {
    async fn attempt(&self, id: EffectId, book: Book, trace: Trace) -> Attempt<BookAnswer> {
        self.0.book(id, &book, &trace).await
    }
}
