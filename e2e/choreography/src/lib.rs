//! What the services really do, found by trying everything: from an empty world, every input in
//! every state that can be reached, one order long.
//!
//! [`explore`] walks the states; [`Reactions`] is what it saw; [`Heading`] is what a reaction's
//! file says of itself. The test compares the two.

mod explore;
mod heading;
mod services;

pub use explore::{Explored, ORDER, Reactions, example, example_of, explore};
pub use heading::{Heading, headings, readme_table};
pub use services::customers;
