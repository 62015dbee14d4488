//! Measures a backlog: orders are placed while payment is stopped, then payment is started and works them off.

use super::end_counter::EndCounter;
use super::figures::Backlog;
use super::machine::Machine;
use super::measured_suite::MeasuredSuite;
use anyhow::{Context, Result, bail};
use quintet_suite::Control;
use quintet_suite::Suite;
use quintet_suite::rest::Status;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The service that is stopped, so that orders wait for it.
const STOPPED: &str = "payment";
const POLL: Duration = Duration::from_millis(200);
/// How long the other services may take to finish the work that does not need the stopped one.
const OTHERS_WITHIN: Duration = Duration::from_mins(5);

impl MeasuredSuite<'_> {
    /// Places orders while payment is stopped, starts it, and counts the orders that end.
    ///
    /// # Errors
    /// When the suite refuses an order, or an order does not end.
    pub(super) async fn backlog(&mut self, orders: u64) -> Result<Backlog> {
        self.ask_supervisor("stop").await?;
        let all_orders = EndCounter::begin(&self.suite, &self.api, &self.machine).await?;
        let progress = self.ui.spinner("placing orders while payment is down");
        let placed = self.customers.place(self.placed..self.placed + orders, self.plan.at_once);
        self.accepted.extend(placed.await?);
        self.placed += orders;
        self.wait_for_other_services().await?;
        drop(progress);
        // Orders that are out of stock have been cancelled without payment.
        let waiting = orders - all_orders.ended().await?;
        let backlog = EndCounter::begin(&self.suite, &self.api, &self.machine).await?;
        self.ask_supervisor("start").await?;
        let bar = self.ui.bar("working off the backlog", waiting);
        let took = backlog.until(waiting, &bar).await?.took();
        drop(bar);
        // The restarted payment has a new process id.
        self.suite = Suite::read(self.dir)?.context("the suite has ended")?;
        self.machine = Machine::of(&self.suite, &self.plan.hints).await;
        self.wait_for_rest().await?;
        Ok(Backlog { orders: waiting, took })
    }

    async fn ask_supervisor(&self, verb: &str) -> Result<()> {
        let control = self.suite.control.as_ref();
        let control = control.context("--backlog needs a suite that `quintet up` runs")?;
        Control::at(control)?.steer(verb, STOPPED.into()).await?;
        Ok(())
    }

    async fn wait_for_other_services(&self) -> Result<()> {
        let give_up = Instant::now() + OTHERS_WITHIN;
        loop {
            let mut busy = Vec::new();
            for (name, service) in self.suite.services.iter().filter(|(name, _)| **name != STOPPED)
            {
                let url = format!("{}/admin/status", service.admin_url);
                let status: Status = self.api.get(&url).await?;
                let queues = [status.outbox, status.effects];
                if queues.iter().any(|queue| queue.depth > 0) || status.lag != Some(0) {
                    busy.push(name.name());
                }
            }
            if busy.is_empty() {
                return Ok(());
            }
            if Instant::now() >= give_up {
                bail!(
                    "{} did not finish within five minutes what needs no {STOPPED}",
                    busy.join(", ")
                );
            }
            sleep(POLL).await;
        }
    }
}
