//! The actual reactions of the services, found by exploration: from an empty world, every input is tried in every
//! state that one order can reach.
//!
//! [`explore`] walks the states and returns the [`Reactions`] that it saw. A [`Heading`] is the first line of a
//! reaction's file, which states what the reaction does. The tests run the conformance suites of `quintet-test` on
//! each service.

pub use quintet_test::{
    AGGREGATE as ORDER, Reactions,
    conformance::{Heading, TableRow, headings, readme_table},
    example, example_of,
};
pub use saga::{Described, customers};

/// Explores all states of a service.
#[must_use]
pub fn explore<S: Described>() -> Reactions {
    quintet_test::explore::<S, saga::OrderSaga>()
}
