//! Attacks a listener on this machine while a well-behaved client measures how long its own requests take.
//!
//! Every attack is bounded in connections and time, and ends with this program.

mod client;
mod hostile;
mod process;
mod table;

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, ensure};

pub use client::Measured;
pub use hostile::AttackKind;
pub use table::{Line, Table};

use client::Client;
use hostile::Hostile;
use process::Process;

/// What is attacked, and how hard.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The public listener of the order service, on this machine.
    pub against: SocketAddr,
    /// Hostile connections of each kind, at most.
    pub connections: usize,
    /// How long each kind of attack lasts once its connections are open.
    pub hold: Duration,
    /// The kinds, one after the other.
    pub kinds: Vec<AttackKind>,
}

impl Plan {
    /// Carries out each kind of attack in turn. Returns what a well-behaved client measured before, during and after.
    ///
    /// # Errors
    /// If the target is not on this machine, does not answer, or has died afterwards.
    pub async fn carry_out(&self) -> Result<Table> {
        let Self { against, connections, hold, ref kinds } = *self;
        ensure!(
            against.ip().is_loopback(),
            "{against} is not on this machine: only loopback is attacked"
        );
        let client = Client::new(against)?;
        let order =
            client.order().await.with_context(|| format!("http://{against} does not answer"))?;
        let process = Process::listening(against.port());
        let mut table = Table::default();
        table.add("before", 0, 0, client.measure(hold).await, process.as_ref());
        for kind in kinds {
            let Some(request) = kind.request(order.as_deref()) else {
                table.skip(kind.name(), "no order there yet: place one first");
                continue;
            };
            let hostile = Hostile::open(against, &request, connections).await;
            let opened = hostile.len();
            let measured = client.measure(hold).await;
            let left = hostile.still_open();
            table.add(kind.name(), opened, left, measured, process.as_ref());
        }
        table.add("after", 0, 0, client.measure(hold).await, process.as_ref());
        ensure!(process.as_ref().is_none_or(Process::lives), "the service has died\n{table}");
        Ok(table)
    }
}
