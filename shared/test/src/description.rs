//! The description of a service, which all tests of a saga share.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use engine::{Outside, What};
use event::{Contract, EffectId, KeyOf};
use serde::Serialize;
use serde_json::{Value, json};
use service::Service;
use store::{Db, Record, Rows};

use crate::{contract::aggregate, simulation::Providers};

/// A saga whose services are [`Described`]: the types that all of them have in common. It is usually a unit struct of the
/// saga's tests.
pub trait Saga: Send + Sync + 'static {
    /// The contract of its events.
    type Contract: Contract;

    /// The providers in memory.
    type Providers: Providers;

    /// A row that aggregates share, such as the free rooms of a hotel; `()` if there is none.
    type Shared: Clone;

    /// An entry of the providers' ledger about a request, which the saga's auditor reads; `()` if there is no auditor.
    type Entry;
}

/// The description of a service of the saga `G`.
///
/// The simulator, the exploration of reactions, the conformance suites, the golden records and a saga's own model all
/// use this one description. Each service has one implementation, in a crate of its saga's tests.
///
/// `tests/rally` of this crate has a saga of two services with their descriptions.
///
/// A *world* is the participant's type [`World`](engine::Participant::World): the rows that a batch may change. The worlds of
/// a description are not loaded from a database: [`Rows::absent`] stands for a row that a batch has looked up and not found.
#[async_trait]
pub trait Described<G: Saga>: Service<World: Clone, Contract = G::Contract> + Clone {
    /// The row that the service stores about one aggregate.
    type Row: Record<Key = KeyOf<G::Contract>> + Debug + Serialize;

    /// The service for simulations.
    fn simulated() -> Self;

    /// The service's access to the providers of a simulation.
    fn outside(providers: &Arc<G::Providers>) -> Arc<dyn Outside<Self>>;

    /// The world with these rows.
    fn world(rows: Rows<Self::Row>, shared: &G::Shared) -> Self::World;

    /// The rows about aggregates in this world.
    fn rows(world: &Self::World) -> &Rows<Self::Row>;

    /// The shared row in this world, if it belongs to this service.
    #[must_use]
    fn shared(_world: &Self::World) -> Option<G::Shared> {
        None
    }

    /// The worlds from which explorations start. They have no row about [`AGGREGATE`](crate::AGGREGATE).
    fn beginnings() -> Vec<Self::World>;

    /// Resets counters that only grow. An exploration would otherwise never meet the same state again, and never end.
    fn settle(_world: &mut Self::World) {}

    /// A text that differs for two worlds that an exploration must distinguish.
    #[must_use]
    fn fingerprint(world: &Self::World) -> String {
        fingerprint(Self::rows(world))
    }

    /// The row with default values in the columns that no reaction reads.
    #[must_use]
    fn canonical(row: Self::Row) -> Self::Row {
        row
    }

    /// The commands that create an aggregate.
    #[must_use]
    fn openings(_aggregate: KeyOf<G::Contract>) -> Vec<Self::Command> {
        Vec::new()
    }

    /// The commands that may come at any time.
    #[must_use]
    fn wishes(_aggregate: KeyOf<G::Contract>) -> Vec<Self::Command> {
        Vec::new()
    }

    /// All commands about [`AGGREGATE`](crate::AGGREGATE).
    #[must_use]
    fn commands() -> Vec<Self::Command> {
        let mut commands = Self::openings(aggregate::<G::Contract>());
        commands.extend(Self::wishes(aggregate::<G::Contract>()));
        commands
    }

    /// Every definite answer to this request.
    fn outcomes(effect: &Self::Effect) -> Vec<Self::Outcome>;

    /// The entry that the providers make in their ledger with this answer.
    fn entry(effect: &Self::Effect, answer: &Self::Outcome) -> Option<G::Entry>;

    /// The events that an exploration uses instead of the example of an event.
    #[must_use]
    fn variants(event: G::Contract) -> Vec<G::Contract> {
        vec![event]
    }

    /// The inputs before this event in a test of golden records, so that the event has a row to change.
    #[must_use]
    fn before(_event: &G::Contract) -> Vec<What<Self>> {
        Vec::new()
    }

    /// The request that an outcome in [`Described::before`] answers.
    #[must_use]
    fn asked_for(_event: &G::Contract) -> Option<EffectId> {
        None
    }

    /// The service's state after the event, as a golden record's test compares it: the row of the event's aggregate.
    #[must_use]
    async fn knows(db: &Db, event: &G::Contract) -> Value {
        json!(row_of::<Self::Row, G::Contract>(db, event).await)
    }
}

/// The rows as a text, for [`Described::fingerprint`].
#[must_use]
pub fn fingerprint<R: Record + Debug>(rows: &Rows<R>) -> String {
    format!("{:?}", rows.iter().collect::<Vec<_>>())
}

/// The row of the aggregate that an event is about.
///
/// # Panics
/// If the event is about no aggregate, or there is no row.
pub async fn row_of<R: Record<Key = KeyOf<C>>, C: Contract>(db: &Db, event: &C) -> R {
    let aggregate = event.aggregate().expect("an event about an aggregate");
    let row: Option<R> = db.find(aggregate).await.expect("a table");
    row.expect("a row of this aggregate")
}
