//! What the services really do, found by trying everything: from an empty world, every input in
//! every state that can be reached, one order long.
//!
//! [`explore`] walks the states; [`Reactions`] is what it saw; [`Heading`] is what a reaction's
//! file says of itself. The tests hold each service to the conformance suites of `quintet-test`.

pub use quintet_test::{
    AGGREGATE as ORDER, Reactions,
    conformance::{Heading, TableRow, headings, readme_table},
    example, example_of,
};
pub use saga::{Described, customers};

/// Walks all states of a service.
#[must_use]
pub fn explore<S: Described>() -> Reactions {
    quintet_test::explore::<S, saga::OrderSaga>()
}
