//! Suites for the contract and the services of any saga.
//!
//! - [`schemas`]: the schemas of a contract and its Rust types accept the same data.
//! - [`choreography`]: the documentation of a service's reactions, in its files and its README, is true.
//! - [`stores`]: a service's tables and statements work on every database.
//! - [`replicas`]: two replicas that work on one aggregate at the same time have the same result as one after the other.

mod choreography;
mod gate;
mod heading;
mod replicas;
mod says;
mod schemas;
mod store;

pub use choreography::choreography;
pub use heading::{Heading, TableRow, headings, readme_table};
pub use replicas::replicas;
pub use says::{AtOnce, Says};
pub use schemas::schemas;
pub use store::stores;
