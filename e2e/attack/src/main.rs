//! The command: `attack edge --against HOST:PORT`.

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use attack::{AttackKind, Plan};
use clap::{Parser, Subcommand};

/// Attacks a service on this machine, and shows how a well-behaved client is served meanwhile.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    attack: Attack,
}

#[derive(Debug, Subcommand)]
enum Attack {
    /// Attacks the public listener of the order service with bodies, heads, silence, event streams and unread answers.
    Edge {
        /// The listener, on loopback.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
        against: SocketAddr,
        /// Hostile connections of each kind.
        #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=4_000))]
        connections: u16,
        /// How many seconds each attack lasts.
        #[arg(long, value_name = "SECONDS", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=60))]
        hold: u64,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let Attack::Edge { against, connections, hold } = Args::parse().attack;
    edge::raise_handle_limit()?;
    let (connections, hold) = (connections.into(), Duration::from_secs(hold));
    let plan = Plan { against, connections, hold, kinds: AttackKind::ALL.to_vec() };
    print!("{}", plan.carry_out().await?);
    Ok(())
}
