//! Suites that any contract and any service of any saga are held to.
//!
//! - [`schemas`]: the schemas of a contract say what its Rust types say.
//! - [`choreography`]: what a service's folder says of its reactions is what they do.
//! - [`stores`]: a service's tables and statements work on every database.
//! - [`replicas`]: two replicas that work on one aggregate at once come to what one after the other comes to.

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
