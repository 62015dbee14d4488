//! The customers: so many at once, or one whenever the next is due.

use crate::orders::{Client, Wanted};
use crate::shop::{Arrivals, Shop};
use anyhow::{Context, Result};
use clock::{Clock, SystemClock};
use contracts::OrderId;
use jiff::{SignedDuration, Timestamp};
use quintet_suite::Suite;
use quintet_suite::http::Api;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// With hundreds in flight on a slow machine an answer may take long.
const TIME_OUT: Duration = Duration::from_mins(1);

/// Customers of a suite.
#[derive(Clone, Debug)]
pub(super) struct Customers {
    client: Client,
    shop: Shop,
}

/// An order that arrived when it was due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived {
    pub(super) id: OrderId,
    /// When it should have been placed.
    pub(super) due: Timestamp,
    /// From then to its acceptance.
    pub(super) accepted: Duration,
}

impl Customers {
    /// # Errors
    /// When their client cannot be set up.
    pub(super) fn of(suite: &Suite, shop: Shop) -> Result<Self> {
        Ok(Self { client: Client::new(suite, Api::waiting(TIME_OUT)?), shop })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Closed loop: keeps so many requests in flight until these orders are placed.
    ///
    /// # Errors
    /// When an order is refused.
    pub(super) async fn place(&self, orders: Range<u64>, at_once: usize) -> Result<Vec<OrderId>> {
        let next = Arc::new(AtomicU64::new(orders.start));
        let mut customers = JoinSet::new();
        for _ in 0..at_once {
            let (this, next, end) = (self.clone(), Arc::clone(&next), orders.end);
            customers.spawn(async move {
                let mut ids = Vec::new();
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= end {
                        return Ok(ids);
                    }
                    ids.push(this.order(nth).await?);
                }
            });
        }
        let mut ids = Vec::new();
        while let Some(placed) = customers.join_next().await {
            let placed: Result<Vec<OrderId>> = placed?;
            ids.extend(placed?);
        }
        Ok(ids)
    }

    /// Open loop: places an order whenever one is due, whatever became of those before.
    ///
    /// # Errors
    /// When an order is refused.
    pub(super) async fn arrive(&self, arrivals: Arrivals, first: u64) -> Result<Vec<Arrived>> {
        let (begun, begun_at) = (Instant::now(), SystemClock.now());
        let mut placing = JoinSet::new();
        let until = async |due| sleep_until(begun + due).await;
        let place = |nth, due| {
            let this = self.clone();
            placing.spawn(async move {
                let id = this.order(first + nth).await?;
                let accepted = begun.elapsed().saturating_sub(due);
                let due = SignedDuration::try_from(due).context("it is due too late")?;
                anyhow::Ok(Arrived { id, due: begun_at.checked_add(due)?, accepted })
            });
        };
        arrivals.each(until, place).await;
        let mut arrived = Vec::new();
        while let Some(placed) = placing.join_next().await {
            arrived.push(placed??);
        }
        Ok(arrived)
    }

    async fn order(&self, nth: u64) -> Result<OrderId> {
        self.order_of(&self.wanted(nth)).await
    }

    /// What the nth customer wants.
    pub(super) fn wanted(&self, nth: u64) -> Wanted {
        self.shop.wanted(nth)
    }

    /// Places an order of this customer's own.
    ///
    /// # Errors
    /// When it is refused.
    pub(super) async fn order_of(&self, wanted: &Wanted) -> Result<OrderId> {
        let order = self.client.place(wanted).await?;
        order.id.parse().with_context(|| format!("order said that {} is an order's id", order.id))
    }
}
