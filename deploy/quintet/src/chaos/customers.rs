//! The customers of a chaos run. They arrive at a steady rate, whatever is broken. Each repeats a request under one
//! idempotency key until it is answered, and writes down the answer. Some cancel their order soon after.

use crate::orders::Client;
use crate::shop::{Arrivals, Shop};
use anyhow::{Context, Result};
use clock::{Random, SeededRandom};
use contracts::OrderId;
use futures::{StreamExt, TryStreamExt, stream};
use quintet_suite::http;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// A customer who cancels does so within this many milliseconds, so that some cancellations come before the order is paid,
/// some while it is being paid, and some after it has ended.
const CANCELS_WITHIN: u64 = 1_500;
/// How many orders are read at a time.
const READERS: usize = 8;

/// The customers, one for each order.
#[derive(Clone, Debug)]
pub(super) struct Customers {
    pub(super) client: Client,
    pub(super) shop: Shop,
    /// How long after the acceptance of an order its customer cancels it; `None` for a customer who does not.
    cancel_after: Arc<Vec<Option<Duration>>>,
    accepted: Arc<AtomicU64>,
}

/// Which customers cancel: a share of them, drawn from a seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cancellations {
    pub(super) seed: u64,
    pub(super) percent: u64,
}

/// The answers that customers got.
#[derive(Debug, Default)]
pub(super) struct Promises {
    /// Orders that were answered 202.
    pub(super) accepted: Vec<OrderId>,
    /// Orders whose cancellation was answered 202.
    pub(super) cancelling: Vec<OrderId>,
    /// The number of cancellations that were answered 409, because the order had ended.
    pub(super) too_late: u64,
    /// Errors that no customer should get, with the number of customers that got them.
    pub(super) refused: BTreeMap<String, u64>,
}

/// The answers that one customer got.
struct Visit {
    order: Result<OrderId, http::Error>,
    /// `None` if the customer did not cancel.
    cancellation: Option<Cancellation>,
}

struct Cancellation {
    order: OrderId,
    /// Whether it was accepted; false if the order had ended.
    accepted: Result<bool, http::Error>,
}

impl Customers {
    pub(super) fn new(
        client: Client,
        shop: Shop,
        orders: u64,
        cancellations: Cancellations,
    ) -> Self {
        let cancel_after = Arc::new(cancellations.draw(orders));
        Self { client, shop, cancel_after, accepted: Arc::default() }
    }

    /// How many orders have been accepted.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Lets the customers arrive evenly over this time, and waits until each has its answers.
    ///
    /// # Errors
    /// When an accepted order has no valid id.
    pub(super) async fn arrive(&self, lasting: Duration) -> Result<Promises> {
        let begun = Instant::now();
        let mut visits = JoinSet::new();
        let until = async |due| sleep_until(begun + due).await;
        let visit = |nth, _| {
            let customers = self.clone();
            visits.spawn(async move { customers.visit(nth).await });
        };
        Arrivals::over(lasting, self.cancel_after.len() as u64).each(until, visit).await;
        let mut promises = Promises::default();
        while let Some(visit) = visits.join_next().await {
            promises.note(visit??);
        }
        Ok(promises)
    }

    async fn visit(&self, nth: u64) -> Result<Visit> {
        let placed = match self.client.place(&self.shop.wanted(nth)).await {
            Ok(placed) => placed,
            Err(error) => return Ok(Visit { order: Err(error), cancellation: None }),
        };
        self.accepted.fetch_add(1, Ordering::Relaxed);
        let order: OrderId = placed
            .id
            .parse()
            .with_context(|| format!("POST /orders answered with the id {:?}", placed.id))?;
        let cancel_after = usize::try_from(nth).ok().and_then(|nth| *self.cancel_after.get(nth)?);
        let mut cancellation = None;
        if let Some(cancel_after) = cancel_after {
            sleep(cancel_after).await;
            let accepted = self.client.cancel(&placed.id).await;
            cancellation = Some(Cancellation { order, accepted });
        }
        Ok(Visit { order: Ok(order), cancellation })
    }

    /// The orders whose cancellation was accepted although the order does not show it.
    ///
    /// # Errors
    /// When an order cannot be read.
    pub(super) async fn forgotten(&self, promises: &Promises) -> Result<Vec<OrderId>> {
        let read = |id: OrderId| async move {
            let order = self.client.read(&id.to_string()).await?;
            let shown = order.json["cancellation_requested"] == true || order.status == "cancelled";
            anyhow::Ok((!shown).then_some(id))
        };
        let forgotten = stream::iter(promises.cancelling.iter().copied().map(read));
        let forgotten = forgotten.buffer_unordered(READERS);
        forgotten.try_filter_map(async |id| Ok(id)).try_collect().await
    }
}

impl Promises {
    fn note(&mut self, visit: Visit) {
        match visit.order {
            Ok(id) => self.accepted.push(id),
            Err(error) => self.note_refusal(&error),
        }
        let Some(Cancellation { order, accepted }) = visit.cancellation else { return };
        match accepted {
            Ok(true) => self.cancelling.push(order),
            Ok(false) => self.too_late += 1,
            Err(error) => self.note_refusal(&error),
        }
    }

    fn note_refusal(&mut self, error: &http::Error) {
        *self.refused.entry(error.to_string()).or_default() += 1;
    }
}

impl Cancellations {
    /// How long after the acceptance each customer cancels, if at all. Both numbers are drawn for every customer, so that a
    /// customer's delay does not depend on the share.
    fn draw(self, customers: u64) -> Vec<Option<Duration>> {
        let random = SeededRandom::new(self.seed);
        let cancel_after = |_| {
            let (cancels, delay) = (random.below(100) < self.percent, random.below(CANCELS_WITHIN));
            cancels.then(|| Duration::from_millis(delay))
        };
        (0..customers).map(cancel_after).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_which_customers_cancel_and_when() {
        let draw = |seed, customers, percent| Cancellations { seed, percent }.draw(customers);
        assert_eq!(draw(7, 1_000, 10), draw(7, 1_000, 10));
        assert_ne!(draw(7, 1_000, 10), draw(8, 1_000, 10));
        let cancelling = draw(7, 1_000, 10).into_iter().flatten().count();
        assert!((60..150).contains(&cancelling), "{cancelling} of 1000 at 10 %");
        assert!(draw(7, 1_000, 0).into_iter().all(|cancel_after| cancel_after.is_none()));
        assert_eq!(draw(7, 10, 10), draw(7, 1_000, 10)[..10]);
    }
}
