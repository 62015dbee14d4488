//! A simulator: all services of a saga in one process, played step by step from a seed, with faults at every step.
//!
//! See [`Simulation`] for how one is made.

mod actor;
mod broker;
pub mod cli;
mod dice;
mod environment;
mod interrupt;
mod invariant;
mod participants;
mod played;
mod process;
mod providers;
mod run;
pub mod schedule;
mod search;
mod shrink;
mod snapshot;
mod story;
mod system;
mod words;
mod workload;

use std::{fmt, ops::Range, sync::Arc};

use anyhow::{Context, Result, ensure};
use bus::Topic;
use clock::SeededRandom;
use event::{Contract, EventType as _, Versions};

use invariant::{Invariant, When};

pub use actor::Heard;
pub use dice::Dice;
pub use environment::{Environment, Publication};
pub use invariant::Failure;
pub use participants::{Databases, Participants};
pub use providers::{Faulty, Provider, Providers};
pub use run::Run;
pub use schedule::{Profile, Schedule};
pub use search::{Found, Search, runtime};
pub use snapshot::Snapshot;
pub use story::Line;
pub use workload::{Actions, Clients, Weighted, Wish, Workload};

type OutsideWorld<P> = Box<dyn Fn(Arc<Environment>) -> P + Send + Sync>;
/// Names of types of events, each with the version in which it is published.
type Named = Vec<(&'static str, u32)>;
type Drawn<T> = Box<dyn Fn(&SeededRandom) -> T + Send + Sync>;

/// A saga that can be played from seeds.
///
/// The services run with their real engine, SQL (SQLite in memory) and reactions, on a broker in memory and with
/// providers in memory. Everything that happens, faults included, is drawn from one seed before it begins. The
/// clock and the dice are the simulation's own, so the same seed always tells the same story. When its schedule is
/// over, a run is driven to rest without faults, and the invariants are checked.
///
/// ```
/// use std::sync::Arc;
///
/// use anyhow::Result;
/// use async_trait::async_trait;
/// use engine::{Never, Outside};
/// use quintet_test::simulation::{
///     Actions, Clients, Environment, Participants, Providers, Simulation, SimulationError, Workload,
/// };
/// use service::Service;
///
/// /// What customers do. Here they ask for nothing.
/// struct Customers;
///
/// #[async_trait]
/// impl Workload for Customers {
///     fn actions(&self) -> Actions {
///         Actions { opening: "book", openings: 3, others: Vec::new() }
///     }
///
///     async fn act(&mut self, _: &'static str, _: &mut Clients<'_>) -> Result<Option<String>> {
///         Ok(None)
///     }
/// }
///
/// /// Plays 200 seeds of a saga of two services, one of which asks a provider.
/// fn play<Booking, Flights, World>(
///     world: fn(Arc<Environment>) -> World,
///     outside: fn(&Arc<World>) -> Arc<dyn Outside<Flights>>,
/// ) -> Result<u64, SimulationError>
/// where
///     Booking: Service<Effect = Never> + Clone + Default,
///     Flights: Service + Clone + Default,
///     World: Providers,
/// {
///     let participants = Participants::new()
///         .with(Booking::default())
///         .asking(Flights::default(), outside);
///     Simulation::new(participants)
///         .providers(world)
///         .workload(|_| Customers)
///         .invariant("every trip ends", |snapshot| {
///             let open = snapshot.table("trip").filter(|row| row["ended"].is_null()).count();
///             if open == 0 { Ok(()) } else { Err(format!("{open} trips have not ended")) }
///         })
///         .run(0..200)
/// }
/// ```
pub struct Simulation<P, W> {
    participants: Participants<P>,
    versions: Drawn<Named>,
    providers: Option<OutsideWorld<P>>,
    workload: Drawn<W>,
    invariants: Vec<Invariant<P, W>>,
}

/// What a simulation came to, if not to what it should.
#[derive(thiserror::Error)]
pub enum SimulationError {
    /// A seed breaks an invariant. This is the shortest story found that breaks it.
    #[error("{0}")]
    Broken(Box<Found>),
    /// The simulation is not complete, or has no databases to play on.
    #[error("the simulation cannot be played: {0:#}")]
    Unplayable(#[source] anyhow::Error),
}

/// The story, so that `unwrap` in a test tells it.
impl fmt::Debug for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What tells the draws of versions and workload from those of the schedule, so that a further draw of the one
/// leaves the other as it is.
const VERSIONS: u64 = 0x7665_7273;
const WORKLOAD: u64 = 0x776f_726b;

impl<P: Providers> Simulation<P, ()> {
    /// A simulation of these services.
    #[must_use]
    pub fn new(participants: Participants<P>) -> Self {
        Self {
            participants,
            versions: Box::new(|_| Named::new()),
            providers: None,
            workload: Box::new(|_| ()),
            invariants: Vec::new(),
        }
    }

    /// Its customers and operators, made anew for each run. What they draw is chance of their own.
    #[must_use]
    pub fn workload<W: Workload>(
        self,
        workload: impl Fn(&SeededRandom) -> W + Send + Sync + 'static,
    ) -> Simulation<P, W> {
        let Self { participants, versions, providers, .. } = self;
        let (workload, invariants) = (Box::new(workload) as _, Vec::new());
        Simulation { participants, versions, providers, workload, invariants }
    }
}

impl<P: Providers, W> Simulation<P, W> {
    /// In which versions events are published: the latest, unless this draws others.
    #[must_use]
    pub fn versions<C: Contract>(
        mut self,
        versions: impl Fn(&SeededRandom) -> Versions<C> + Send + Sync + 'static,
    ) -> Self {
        self.versions = Box::new(move |random| {
            versions(random).iter().map(|(named, version)| (named.as_str(), version)).collect()
        });
        self
    }

    /// The outside world, made anew for each run.
    #[must_use]
    pub fn providers(
        mut self,
        providers: impl Fn(Arc<Environment>) -> P + Send + Sync + 'static,
    ) -> Self {
        self.providers = Some(Box::new(providers));
        self
    }

    /// The topics of the saga's contract, with so many partitions each.
    fn topics(&self, partitions: i32) -> Vec<Topic> {
        self.participants.topics(partitions)
    }

    fn versions_of(&self, seed: u64) -> Named {
        (self.versions)(&SeededRandom::new(seed ^ VERSIONS))
    }

    fn outside_world(&self, environment: &Arc<Environment>) -> Result<P> {
        match &self.providers {
            Some(providers) => Ok(providers(Arc::clone(environment))),
            None => P::none().context("it has no providers: give them by Simulation::providers"),
        }
    }

    fn checks(&self, when: When) -> bool {
        self.invariants.iter().any(|invariant| invariant.when == when)
    }

    /// The first invariant of this moment that does not hold.
    fn broken(&self, when: When, snapshot: &Snapshot<'_, P, W>) -> Option<Failure> {
        let due = self.invariants.iter().filter(|invariant| invariant.when == when);
        due.into_iter().find_map(|Invariant { name, check, .. }| {
            let what = check(snapshot).err()?;
            Some(Failure { invariant: name, what })
        })
    }
}

impl<P: Providers, W: Workload> Simulation<P, W> {
    /// What must be so when everything has come to rest. The text of the error says what is wrong, without the
    /// invariant's name.
    #[must_use]
    pub fn invariant(
        self,
        name: &'static str,
        check: impl Fn(&Snapshot<'_, P, W>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.with(name, When::AtRest, check)
    }

    /// What must be so after each step, of what the outside world, the customers and the broker know. The rows of
    /// the services are not in the snapshot.
    #[must_use]
    pub fn always(
        self,
        name: &'static str,
        check: impl Fn(&Snapshot<'_, P, W>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.with(name, When::EachStep, check)
    }

    /// What must be so of a service's rows after each of its batches. The snapshot has no other service's rows.
    #[must_use]
    pub fn after_each_batch_of(
        self,
        service: &'static str,
        name: &'static str,
        check: impl Fn(&Snapshot<'_, P, W>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.with(name, When::EachBatchOf(service), check)
    }

    fn with(
        mut self,
        name: &'static str,
        when: When,
        check: impl Fn(&Snapshot<'_, P, W>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.invariants.push(Invariant { name, when, check: Box::new(check) });
        self
    }

    fn workload_of(&self, seed: u64) -> W {
        (self.workload)(&SeededRandom::new(seed ^ WORKLOAD))
    }

    /// The schedule of a seed.
    #[must_use]
    pub fn schedule(&self, seed: u64) -> Schedule {
        let workload = self.workload_of(seed);
        let shape = |profile: &mut Profile| workload.shape(profile);
        Schedule::draw(seed, &self.participants.cast(), &workload.actions(), shape)
    }

    /// Databases to play on, one run after the other.
    ///
    /// # Errors
    /// If the simulation is not complete, or SQLite refuses a migration.
    pub async fn databases(&self) -> Result<Databases> {
        ensure!(!self.topics(1).is_empty(), "it has no participants: give them to Simulation::new");
        self.participants.databases().await
    }

    /// Plays these seeds on all processors; how many were played.
    ///
    /// # Errors
    /// The shortest story of the lowest seed that fails; or why the simulation cannot be played.
    pub fn run(&self, seeds: Range<u64>) -> Result<u64, SimulationError> {
        let count = seeds.end.saturating_sub(seeds.start);
        match self.find_shortest(seeds) {
            Ok(None) => Ok(count),
            Ok(Some(found)) => Err(SimulationError::Broken(Box::new(found))),
            Err(error) => Err(SimulationError::Unplayable(error)),
        }
    }

    fn find_shortest(&self, seeds: Range<u64>) -> Result<Option<Found>> {
        let Some(found) = self.search(seeds, &Search::default())? else { return Ok(None) };
        runtime()?.block_on(async {
            let databases = self.databases().await?;
            self.shrink(&databases, found).await.map(Some)
        })
    }
}
