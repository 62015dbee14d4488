//! The simulator: it plays all services of a saga in one process, step by step from a seed, with faults at every step.
//!
//! [`Simulation`] has an example.

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

/// Makes the providers of a run.
type OutsideWorld<P> = Box<dyn Fn(Arc<Environment>) -> P + Send + Sync>;
/// The names of event types, each with the version in which it is published.
type Named = Vec<(&'static str, u32)>;
/// Draws a value for a run.
type Drawn<T> = Box<dyn Fn(&SeededRandom) -> T + Send + Sync>;

/// A saga that can be played from seeds.
///
/// The services run with their real engine, SQL (SQLite in memory) and reactions, on a broker in memory and with
/// providers in memory. All steps of a run, faults included, are drawn from one seed before the run begins. The simulation
/// has its own clock and randomness, so the same seed always gives the same story. After the last step of the schedule the
/// services go on without faults until they are at rest, and the invariants are checked.
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
/// /// The customers. These send no commands.
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
/// /// Plays 200 seeds of a saga of two services, one of which sends requests to a provider.
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

/// A simulation has failed.
#[derive(thiserror::Error)]
pub enum SimulationError {
    /// A seed breaks an invariant. This is the shortest story found that breaks it.
    #[error("{0}")]
    Broken(Box<Found>),
    /// The simulation is not complete, or has no databases to play on.
    #[error("the simulation cannot be played: {0:#}")]
    Unplayable(#[source] anyhow::Error),
}

/// The debug form is the story, so that `unwrap` in a test prints it.
impl fmt::Debug for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Versions, workload and schedule draw from different sources of randomness, so that one more draw of one does not change
/// the others. Each source is seeded with the seed combined with such a number.
const VERSIONS: u64 = 0x7665_7273;
/// See [`VERSIONS`].
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

    /// Sets its customers and operators. They are made anew for each run, with a source of randomness of their own.
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
    /// Draws the versions in which events are published. By default these are the latest.
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

    /// Sets the outside world, which is made anew for each run.
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

    /// Whether there is an invariant for this moment.
    fn checks(&self, when: When) -> bool {
        self.invariants.iter().any(|invariant| invariant.when == when)
    }

    /// Checks the invariants for this moment. Returns the first that does not hold.
    fn broken(&self, when: When, snapshot: &Snapshot<'_, P, W>) -> Option<Failure> {
        let due = self.invariants.iter().filter(|invariant| invariant.when == when);
        due.into_iter().find_map(|Invariant { name, check, .. }| {
            let what = check(snapshot).err()?;
            Some(Failure { invariant: name, what })
        })
    }
}

impl<P: Providers, W: Workload> Simulation<P, W> {
    /// Adds an invariant that must hold at the end of a run, when it is at rest. The error of `check` says what is wrong,
    /// without the invariant's name.
    #[must_use]
    pub fn invariant(
        self,
        name: &'static str,
        check: impl Fn(&Snapshot<'_, P, W>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.with(name, When::AtRest, check)
    }

    /// Adds an invariant that must hold after each step. The snapshot has the providers, the workload and the published
    /// events, but no rows of services.
    #[must_use]
    pub fn always(
        self,
        name: &'static str,
        check: impl Fn(&Snapshot<'_, P, W>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.with(name, When::EachStep, check)
    }

    /// Adds an invariant that must hold after each batch of a service. The snapshot has the rows of this service, and of no
    /// other.
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

    /// Makes the databases for runs, which are played one after another.
    ///
    /// # Errors
    /// If the simulation is not complete, or SQLite refuses a migration.
    pub async fn databases(&self) -> Result<Databases> {
        ensure!(!self.topics(1).is_empty(), "it has no participants: give them to Simulation::new");
        self.participants.databases().await
    }

    /// Plays these seeds on all processors. Returns how many were played.
    ///
    /// # Errors
    /// The shortest story of the lowest seed that fails, or why the simulation cannot be played.
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
