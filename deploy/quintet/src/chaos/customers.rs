//! The customers: one whenever the next is due, whatever is broken. Each asks under one key until he is
//! answered, keeps what he was promised, and some change their minds.

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

/// A customer changes his mind within so many milliseconds: before, while and after it can be stopped.
const MIND: u64 = 1_500;
/// Reading what became of cancellations.
const READERS: usize = 8;

/// Who orders.
#[derive(Clone, Debug)]
pub(super) struct Customers {
    pub(super) client: Client,
    pub(super) shop: Shop,
    /// How long each thinks before he wants to cancel, if he does.
    minds: Arc<Vec<Option<Duration>>>,
    accepted: Arc<AtomicU64>,
}

/// What customers were promised, and what they were refused.
#[derive(Debug, Default)]
pub(super) struct Promises {
    /// Each was answered 202.
    pub(super) accepted: Vec<OrderId>,
    /// Orders whose cancellation was answered 202.
    pub(super) cancelling: Vec<OrderId>,
    /// Cancellations that were answered 409: the order had ended.
    pub(super) too_late: u64,
    /// Answers that nobody should get, and how often they were given.
    pub(super) refused: BTreeMap<String, u64>,
}

/// What one of them came to.
struct Visit {
    order: Result<OrderId, http::Error>,
    /// Of which order, and whether it was taken.
    cancellation: Option<(OrderId, Result<bool, http::Error>)>,
}

impl Customers {
    /// So many, of whom a share in per cent wants to cancel.
    pub(super) fn new(
        client: Client,
        shop: Shop,
        orders: u64,
        (seed, cancelling): (u64, u64),
    ) -> Self {
        let minds = Arc::new(minds(seed, orders, cancelling));
        Self { client, shop, minds, accepted: Arc::default() }
    }

    /// How many orders have been accepted.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// They come evenly over so long.
    ///
    /// # Errors
    /// When order's answers are none.
    pub(super) async fn come(&self, lasting: Duration) -> Result<Promises> {
        let begun = Instant::now();
        let mut visits = JoinSet::new();
        let until = async |due| sleep_until(begun + due).await;
        let visit = |nth, _| {
            let this = self.clone();
            visits.spawn(async move { this.visit(nth).await });
        };
        Arrivals::over(lasting, self.minds.len() as u64).each(until, visit).await;
        let mut promises = Promises::default();
        while let Some(visit) = visits.join_next().await {
            promises.keep(visit??);
        }
        Ok(promises)
    }

    async fn visit(&self, nth: u64) -> Result<Visit> {
        let placed = match self.client.place(&self.shop.wanted(nth)).await {
            Ok(placed) => placed,
            Err(error) => return Ok(Visit { order: Err(error), cancellation: None }),
        };
        self.accepted.fetch_add(1, Ordering::Relaxed);
        let order: OrderId = placed.id.parse().with_context(|| format!("the id {}", placed.id))?;
        let mind = usize::try_from(nth).ok().and_then(|nth| *self.minds.get(nth)?);
        let mut cancellation = None;
        if let Some(thinks) = mind {
            sleep(thinks).await;
            cancellation = Some((order, self.client.cancel(&placed.id).await));
        }
        Ok(Visit { order: Ok(order), cancellation })
    }

    /// Cancellations that were taken and of which the order knows nothing.
    ///
    /// # Errors
    /// When an order cannot be read.
    pub(super) async fn forgotten(&self, promises: &Promises) -> Result<Vec<OrderId>> {
        let read = |id: OrderId| async move {
            let order = self.client.read(&id.to_string()).await?;
            let heard = order.json["cancellation_requested"] == true || order.status == "cancelled";
            anyhow::Ok((!heard).then_some(id))
        };
        let forgotten = stream::iter(promises.cancelling.iter().copied().map(read));
        let forgotten = forgotten.buffer_unordered(READERS);
        forgotten.try_filter_map(async |id| Ok(id)).try_collect().await
    }
}

impl Promises {
    fn keep(&mut self, visit: Visit) {
        match visit.order {
            Ok(id) => self.accepted.push(id),
            Err(error) => self.refuse(&error),
        }
        match visit.cancellation {
            Some((id, Ok(true))) => self.cancelling.push(id),
            Some((_, Ok(false))) => self.too_late += 1,
            Some((_, Err(error))) => self.refuse(&error),
            None => {}
        }
    }

    fn refuse(&mut self, error: &http::Error) {
        *self.refused.entry(error.to_string()).or_default() += 1;
    }
}

/// Of each customer in turn.
fn minds(seed: u64, customers: u64, cancelling: u64) -> Vec<Option<Duration>> {
    let random = SeededRandom::new(seed);
    let mind = |_| {
        let (changes, thinks) = (random.below(100) < cancelling, random.below(MIND));
        changes.then(|| Duration::from_millis(thinks))
    };
    (0..customers).map(mind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_who_changes_his_mind_and_when() {
        assert_eq!(minds(7, 1_000, 10), minds(7, 1_000, 10));
        assert_ne!(minds(7, 1_000, 10), minds(8, 1_000, 10));
        let changed = minds(7, 1_000, 10).into_iter().flatten().count();
        assert!((60..150).contains(&changed), "{changed} of 1000 at 10 %");
        assert!(minds(7, 1_000, 0).into_iter().all(|mind| mind.is_none()));
        assert_eq!(minds(7, 10, 10), minds(7, 1_000, 10)[..10]);
    }
}
