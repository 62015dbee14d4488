//! Suites that any service of any saga is held to.
//!
//! - [`choreography`]: what a service's folder says of its reactions is what they do.
//! - [`stores`]: a service's tables and statements work on every database.
//! - [`replicas`]: two replicas that work on one aggregate at once come to what one after the other comes to.

mod choreography;
mod gate;
mod heading;
mod replicas;
mod store;

pub use choreography::choreography;
pub use heading::{Heading, TableRow, headings, readme_table};
pub use replicas::{AtOnce, Says, replicas};
pub use store::stores;
