//! Runs the statements of a service on every database.

use std::sync::Arc;

use clock::{ManualClock, SeededRandom, uuid_v7};
use engine::{
    Engine, EngineOptions, Input, Origin, Settings, Status, UnconfirmedAnswers, What, Work,
};
use event::{Contract as _, EventType as _, Trace, Versions};
use jiff::Timestamp;
use service::Service;
use testkit::{Database, MemoryBus, databases, record_at};

use crate::{Described, Saga, contract::example};

/// Checks a service's tables and statements on every available database: the real engine applies all its inputs in one
/// batch, and then once more as duplicates.
///
/// # Panics
/// If a database refuses a statement, or a duplicate is not recognised.
pub async fn stores<S: Described<G> + Default, G: Saga>() {
    for database in databases().await {
        check::<S, G>(&database).await;
    }
}

/// All inputs in an order in which each has an effect: first an event about no aggregate, such as a price list; then the
/// commands, which create the aggregate; then the events about it.
fn all_inputs<P: Described<G>, G: Saga>() -> Vec<Work<P>> {
    let (clock, random) = (ManualClock::new(Timestamp::UNIX_EPOCH), SeededRandom::new(1));
    let id = || uuid_v7(&clock, &random);
    let at = Timestamp::UNIX_EPOCH;
    let input = |cause, what| Input { cause, at, trace: Trace::default(), what };
    let listed = P::CONSUMES.iter().flat_map(|kind| P::variants(example(*kind)));
    let mut events: Vec<Work<P>> = listed
        .enumerate()
        .map(|(index, event)| {
            let offset = i64::try_from(index).expect("few events");
            let topic = event.event_type().topic().to_owned();
            let origin = Origin::Event(record_at(topic, offset));
            Work { input: input(id(), What::Event(event)), origin }
        })
        .collect();
    let commands = P::commands().into_iter().map(|command| {
        let what = What::Command(command);
        Work { input: input(id(), what), origin: Origin::Command(None) }
    });
    let first = events.iter().position(|work| work.input.aggregate().is_none());
    let mut works: Vec<Work<P>> = first.map(|index| events.remove(index)).into_iter().collect();
    works.extend(commands);
    works.extend(events);
    works
}

async fn check<S: Described<G> + Default, G: Saga>(database: &Database) {
    let db = database.migrated(engine::migrations().and(S::migrations())).await;
    let options = EngineOptions {
        settings: Settings::default(),
        versions: Versions::default(),
        max_record_bytes: bus::DEFAULT_MAX_RECORD_BYTES,
        replica: uuid::Uuid::from_u128(1),
    };
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let engine = Engine::new(S::default(), db, clock, options);
    let works = all_inputs::<S, G>();
    let case = format!("{} on {}", S::NAME, database.kind());

    let first = engine.apply_batch(&works, &mut UnconfirmedAnswers::<S>::new()).await;
    assert_eq!(first.expect(&case).duplicates, 0, "{case}");
    let before = dump::<S>(&engine).await;
    assert!(!before.is_empty(), "{case}: no row was saved");

    let second = engine.apply_batch(&works, &mut UnconfirmedAnswers::<S>::new()).await;
    assert_eq!(second.expect(&case).duplicates, works.len(), "{case}");
    assert_eq!(dump::<S>(&engine).await, before, "{case}");

    let status: Status = engine.status(&MemoryBus::default()).await.expect(&case);
    assert_eq!(status.batches, 2, "{case}");
}

/// All rows of the service. It also checks that its listings page by their keys.
async fn dump<S: Service>(engine: &Engine<S>) -> Vec<String> {
    let mut rows = Vec::new();
    for table in S::tables() {
        let page = table.page(engine.db(), None, 100).await.expect("a readable table");
        for (key, row) in &page {
            let rest = table.page(engine.db(), Some(key), 100).await.expect("a readable table");
            assert!(rest.iter().all(|(later, _)| later > key), "{} pages by its key", table.name());
            rows.push(row.to_string());
        }
    }
    rows
}
