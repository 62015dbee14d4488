//! A backlog: payment is down while orders come in, and then it is back.

use super::figures::Backlog;
use super::machine::Machine;
use super::measure::Subject;
use super::watch::Watch;
use anyhow::{Context, Result, bail};
use quintet_suite::Control;
use quintet_suite::Suite;
use quintet_suite::rest::Status;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What orders wait for.
const DOWN: &str = "payment";
const POLL: Duration = Duration::from_millis(200);
/// How long the others may take with what they can do without it.
const OTHERS_WITHIN: Duration = Duration::from_mins(5);

impl Subject<'_> {
    /// Places orders while payment is down, starts it, and watches them end.
    ///
    /// # Errors
    /// When the suite refuses orders, or does not end them.
    pub(super) async fn backlog(&mut self, orders: u64) -> Result<Backlog> {
        self.supervisor("stop").await?;
        let all = Watch::begin(&self.suite, &self.api, &self.machine).await?;
        let progress = self.ui.spinner("placing orders while payment is down");
        let placed = self.customers.place(self.placed..self.placed + orders, self.plan.at_once);
        self.accepted.extend(placed.await?);
        self.placed += orders;
        self.others_are_done().await?;
        drop(progress);
        // Those without stock have ended without payment.
        let waiting = orders - all.ended().await?;
        let watch = Watch::begin(&self.suite, &self.api, &self.machine).await?;
        self.supervisor("start").await?;
        let bar = self.ui.bar("working off the backlog", waiting);
        let took = watch.until(waiting, &bar).await?.took();
        drop(bar);
        // It has another process id now.
        self.suite = Suite::read(self.dir)?.context("the suite has ended")?;
        self.machine = Machine::of(&self.suite, &self.plan.hints).await;
        self.rest().await?;
        Ok(Backlog { orders: waiting, took })
    }

    async fn supervisor(&self, verb: &str) -> Result<()> {
        let control = self.suite.control.as_ref();
        let control = control.context("--backlog needs a suite that `quintet up` runs")?;
        Control::at(control)?.steer(verb, DOWN.into()).await?;
        Ok(())
    }

    async fn others_are_done(&self) -> Result<()> {
        let give_up = Instant::now() + OTHERS_WITHIN;
        loop {
            let mut busy = Vec::new();
            for (name, service) in self.suite.services.iter().filter(|(name, _)| **name != DOWN) {
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
                bail!("{} still work without {DOWN}", busy.join(", "));
            }
            sleep(POLL).await;
        }
    }
}
