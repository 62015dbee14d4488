//! Whether the price list is complete, as far as the broker tells.

use std::{sync::Arc, time::Duration};

use contracts::EventType;
use quintet::{App, EventType as _, bus::PartitionState, http::Problem};
use tokio::{sync::Mutex, time::timeout};

use crate::OrderService;

/// How long the broker may take to say how far the topic has been read.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long what it said counts: orders for nothing must not keep it busy.
const FRESH: Duration = Duration::from_secs(1);

/// Knows whether order has read all there is of the products.
#[derive(Debug, Clone, Default)]
pub struct PriceList(Arc<Mutex<Option<Known>>>);

#[derive(Debug, Clone, Copy)]
struct Known {
    /// By the clock that nobody sets.
    at: Duration,
    read: bool,
}

impl PriceList {
    /// Whether a product that order does not know does not exist; false while that cannot be told.
    ///
    /// # Errors
    /// If the database does not answer.
    pub(super) async fn is_read(&self, app: &App<OrderService>) -> Result<bool, Problem> {
        let now = app.clock.steady();
        let mut known = self.0.lock().await;
        if let Some(Known { at, read }) = *known
            && now.saturating_sub(at) < FRESH
        {
            return Ok(read);
        }
        let any = app.engine.db().fetch("select 1 from product limit 1", Vec::new()).await?;
        let states = timeout(PATIENCE, app.engine.partitions(&*app.bus)).await;
        let read = matches!(&states, Ok(Ok(states)) if !any.is_empty() && is_read(states));
        *known = Some(Known { at: now, read });
        Ok(read)
    }
}

fn is_read(states: &[PartitionState]) -> bool {
    let products = EventType::ProductListed.topic();
    states.iter().filter(|state| state.topic == products).all(|state| state.lag() <= 0)
}
