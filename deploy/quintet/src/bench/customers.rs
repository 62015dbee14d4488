//! The load generator: customers that keep a number of requests in flight, or that arrive at a steady rate.

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

/// An answer may take long when hundreds of requests are in flight on a slow machine.
const TIME_OUT: Duration = Duration::from_mins(1);

/// The customers of a suite.
#[derive(Clone, Debug)]
pub(super) struct Customers {
    client: Client,
    shop: Shop,
}

/// An accepted order that was placed by the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived {
    pub(super) id: OrderId,
    /// The time at which it should have been placed.
    pub(super) due: Timestamp,
    /// The time from `due` to its acceptance.
    pub(super) accepted: Duration,
}

impl Customers {
    /// # Errors
    /// When their HTTP client cannot be set up.
    pub(super) fn of(suite: &Suite, shop: Shop) -> Result<Self> {
        Ok(Self { client: Client::new(suite, Api::waiting(TIME_OUT)?), shop })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Places these orders in a closed loop: `at_once` requests are in flight all the time.
    ///
    /// # Errors
    /// When an order is refused.
    pub(super) async fn place(&self, orders: Range<u64>, at_once: usize) -> Result<Vec<OrderId>> {
        let next = Arc::new(AtomicU64::new(orders.start));
        let mut customers = JoinSet::new();
        for _ in 0..at_once {
            let (customer, next, end) = (self.clone(), Arc::clone(&next), orders.end);
            customers.spawn(async move {
                let mut ids = Vec::new();
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= end {
                        return Ok(ids);
                    }
                    ids.push(customer.place_nth(nth).await?);
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

    /// Places orders in an open loop: each is placed when it is due, also while earlier ones wait for their answers.
    ///
    /// # Errors
    /// When an order is refused.
    pub(super) async fn arrive(&self, arrivals: Arrivals, first: u64) -> Result<Vec<Arrived>> {
        let (begun, begun_at) = (Instant::now(), SystemClock.now());
        let mut placing = JoinSet::new();
        let until = async |due| sleep_until(begun + due).await;
        let place = |nth, due| {
            let customer = self.clone();
            placing.spawn(async move {
                let id = customer.place_nth(first + nth).await?;
                let accepted = begun.elapsed().saturating_sub(due);
                let due = SignedDuration::try_from(due)
                    .context("--seconds is too long: an order would be due after the last date")?;
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

    async fn place_nth(&self, nth: u64) -> Result<OrderId> {
        self.place_one(&self.wanted(nth)).await
    }

    /// The order that the nth customer wants to place.
    pub(super) fn wanted(&self, nth: u64) -> Wanted {
        self.shop.wanted(nth)
    }

    /// Places one order.
    ///
    /// # Errors
    /// When it is refused.
    pub(super) async fn place_one(&self, wanted: &Wanted) -> Result<OrderId> {
        let order = self.client.place(wanted).await?;
        order
            .id
            .parse()
            .with_context(|| format!("POST /orders answered with the id {:?}", order.id))
    }
}
