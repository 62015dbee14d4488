use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use engine::{Outside, What};
use event::{Contract, EffectId, KeyOf};
use serde::Serialize;
use serde_json::{Value, json};
use service::Service;
use store::{Db, Record, Rows};

use crate::{contract::aggregate, simulation::Providers};

/// A saga whose services are [`Described`]: what all of them have in common. It is usually a unit struct of the saga's
/// tests.
pub trait Saga: Send + Sync + 'static {
    /// Its events.
    type Contract: Contract;

    /// The providers in memory.
    type Providers: Providers;

    /// A row that aggregates have in common, such as the free rooms of a hotel; `()` if there is none.
    type Shared: Clone;

    /// What the providers write down about a request, as the saga's auditor reads it; `()` if nothing does.
    type Entry;
}

/// A service of the saga `G`, as the harnesses need to know it: once for all of them.
///
/// The simulator, the exploration of reactions, the conformance suites, the golden records and a saga's own model all
/// ask this one description. A service needs one implementation, in a crate of its saga's tests.
///
/// `tests/rally` of this crate has a saga of two services with their descriptions.
///
/// The worlds of a description are rows that no database has loaded: [`Rows::absent`] stands for what a batch has
/// looked for and not found.
#[async_trait]
pub trait Described<G: Saga>: Service<World: Clone, Contract = G::Contract> + Clone {
    /// What the service keeps about one aggregate.
    type Row: Record<Key = KeyOf<G::Contract>> + Debug + Serialize;

    /// The service as simulations run it.
    fn simulated() -> Self;

    /// How it reaches the providers of a simulation.
    fn outside(providers: &Arc<G::Providers>) -> Arc<dyn Outside<Self>>;

    /// The world of an input about aggregates of which this is known.
    fn world(rows: Rows<Self::Row>, shared: &G::Shared) -> Self::World;

    /// What the service knows of aggregates in this world.
    fn rows(world: &Self::World) -> &Rows<Self::Row>;

    /// The shared row in this world, if it is this service's.
    #[must_use]
    fn shared(_world: &Self::World) -> Option<G::Shared> {
        None
    }

    /// The worlds in which stories about [`AGGREGATE`](crate::AGGREGATE) begin: nothing is known of it.
    fn beginnings() -> Vec<Self::World>;

    /// Forgets what only counts on, so that an exploration meets the same state again.
    fn settle(_world: &mut Self::World) {}

    /// What tells two worlds of an exploration apart.
    #[must_use]
    fn fingerprint(world: &Self::World) -> String {
        fingerprint(Self::rows(world))
    }

    /// A row without what no reaction looks at.
    #[must_use]
    fn canonical(row: Self::Row) -> Self::Row {
        row
    }

    /// The commands that open the story of an aggregate.
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

    /// What the providers write down with this answer.
    fn entry(effect: &Self::Effect, answer: &Self::Outcome) -> Option<G::Entry>;

    /// Makes the example of an event fit the story, or adds others of its kind.
    #[must_use]
    fn variants(event: G::Contract) -> Vec<G::Contract> {
        vec![event]
    }

    /// What the service meets before this event, so that the event has something to act on.
    #[must_use]
    fn before(_event: &G::Contract) -> Vec<What<Self>> {
        Vec::new()
    }

    /// The request that an outcome in [`Described::before`] answers.
    #[must_use]
    fn asked_for(_event: &G::Contract) -> Option<EffectId> {
        None
    }

    /// What the service knows of what the event is about.
    #[must_use]
    async fn knows(db: &Db, event: &G::Contract) -> Value {
        json!(row_of::<Self::Row, G::Contract>(db, event).await)
    }
}

/// The rows without what only counts on.
#[must_use]
pub fn fingerprint<R: Record + Debug>(rows: &Rows<R>) -> String {
    format!("{:?}", rows.iter().collect::<Vec<_>>())
}

/// The row of the aggregate that an event is about.
///
/// # Panics
/// If the event is about none, or there is no row.
pub async fn row_of<R: Record<Key = KeyOf<C>>, C: Contract>(db: &Db, event: &C) -> R {
    let aggregate = event.aggregate().expect("an event about an aggregate");
    let row: Option<R> = db.find(aggregate).await.expect("a table");
    row.expect("a row of this aggregate")
}
