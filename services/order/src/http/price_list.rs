//! Whether the price list is complete: whether all product events have been read from the broker.

use std::{sync::Arc, time::Duration};

use contracts::EventType;
use quintet::{App, EventType as _, bus::PartitionState, http::Problem};
use tokio::{sync::Mutex, time::timeout};

use crate::OrderService;

/// How long the broker may take to report how far the topic has been read.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the broker's report is reused, so that orders for unknown products do not keep the broker busy.
const FRESH: Duration = Duration::from_secs(1);

/// Knows whether the order service has read all products. Remembers the last result for `FRESH`.
#[derive(Debug, Clone, Default)]
pub struct PriceList(Arc<Mutex<Option<LastLook>>>);

#[derive(Debug, Clone, Copy)]
struct LastLook {
    /// By the monotonic clock.
    at: Duration,
    is_read: bool,
}

impl PriceList {
    /// Whether all products have been read, so that an unknown product does not exist. False if the broker does not
    /// say.
    ///
    /// # Errors
    /// If the database does not answer.
    pub(super) async fn is_read(&self, app: &App<OrderService>) -> Result<bool, Problem> {
        let now = app.clock.steady();
        let mut last_look = self.0.lock().await;
        if let Some(LastLook { at, is_read }) = *last_look
            && now.saturating_sub(at) < FRESH
        {
            return Ok(is_read);
        }
        let first_product =
            app.engine.db().fetch("select 1 from product limit 1", Vec::new()).await?;
        let states = timeout(PATIENCE, app.engine.partitions(&*app.bus)).await;
        // Without any product, the topic's producer has probably not listed its products yet.
        let is_read =
            matches!(&states, Ok(Ok(states)) if !first_product.is_empty() && all_read(states));
        *last_look = Some(LastLook { at: now, is_read });
        Ok(is_read)
    }
}

fn all_read(states: &[PartitionState]) -> bool {
    let products = EventType::ProductListed.topic();
    states.iter().filter(|state| state.topic == products).all(|state| state.lag() <= 0)
}
