//! Parts that the tests of several crates share: databases and brokers, a bus in memory that fails on demand, and a function
//! that waits for a condition.
//!
//! Environment variables name the servers. If one is unset, the tests that need its server are left out, and a line on
//! standard error says so. `QUINTET_TEST_REQUIRE_SERVERS=1` makes that a failure.
//!
//! | variable | |
//! |---|---|
//! | `QUINTET_TEST_POSTGRES` | `postgres://USER@HOST:PORT`, a user who may create databases |
//! | `QUINTET_TEST_KAFKA` | `HOST:PORT` |
//! | `QUINTET_TEST_KAFKA_DIR` | the folder of a Kafka distribution, with `bin/kafka-server-start.sh`, for tests that start brokers of their own |

mod broker;
mod bus;
mod clock;
mod database;
mod eventually;
mod manifest;
mod nginx;
mod pgbouncer;
mod ports;
mod program;
mod server;
pub mod toy;

pub use self::clock::RushingClock;
pub use broker::Broker;
pub use bus::{MemoryBus, record_at};
pub use database::{Database, databases};
pub use eventually::eventually;
pub use manifest::only_services;
pub use nginx::Nginx;
pub use pgbouncer::PgBouncer;
pub use ports::Ports;
pub use server::{kafka, kafka_dir, postgres};
