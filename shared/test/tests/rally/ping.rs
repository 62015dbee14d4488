//! The service ping, which serves balls.

use std::sync::Arc;

use async_trait::async_trait;
use engine::{Input, Never, NoEffects, Outside, Participant, Reaction, What};
use quintet_test::{AGGREGATE, Described};
use serde::{Deserialize, Serialize};
use service::{App, Listed, NoConfig, Service, TableOf};
use store::{Migrations, Rows, StoreError, Tx, record};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    Rallies,
    contract::{Event, EventType, RallyId, Served},
    umpire::Umpire,
};

/// The service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ping;

/// A rally, as ping stores it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rally {
    pub id: RallyId,
    /// `served` or `returned`.
    pub state: String,
    pub returns: i64,
}

record!(Rally in "rally": id: RallyId, state: String, returns: i64);

/// Begins a rally.
#[derive(Clone, Copy, Debug)]
pub struct Serve {
    /// The id of the rally.
    pub rally: RallyId,
}

/// The answer to a serve.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accepted(pub RallyId);

impl engine::Reply for Accepted {
    fn stored(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    fn restored(stored: &str) -> Option<Self> {
        serde_json::from_str(stored).ok()
    }
}

#[async_trait]
impl Participant for Ping {
    const NAME: &'static str = "ping";
    const CONSUMES: &'static [EventType] = &[EventType::Returned];

    type Contract = Event;
    type World = Rows<Rally>;
    type Command = Serve;
    type Reply = Accepted;
    type Effect = Never;
    type Outcome = Never;
    type Alarm = Never;

    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<Self::World, StoreError> {
        let rallies = inputs.iter().filter_map(|input| match &input.what {
            What::Command(Serve { rally }) => Some(*rally),
            _ => input.aggregate(),
        });
        Rows::load(tx, rallies).await
    }

    async fn save(&self, tx: &mut Tx, world: &Self::World) -> Result<(), StoreError> {
        world.save(tx).await
    }

    fn react(world: &mut Self::World, input: &Input<Self>, out: &mut Reaction<Self>) {
        match &input.what {
            What::Command(Serve { rally }) => {
                if world.get(rally).is_none() {
                    let (id, state) = (*rally, "served".to_owned());
                    world.put(Rally { id, state, returns: 0 });
                    out.emit(Served { rally_id: id });
                }
                out.reply(Accepted(*rally));
            }
            What::Event(Event::Returned(returned)) => {
                if let Some(rally) = world.get_mut(&returned.rally_id) {
                    "returned".clone_into(&mut rally.state);
                    rally.returns += 1;
                }
            }
            What::Event(_) => {}
            What::Outcome(_, never) | What::Alarm(_, never) => match *never {},
        }
    }
}

impl Service for Ping {
    const CONFIG: &'static str = "";
    type Config = NoConfig;

    fn open(_: &NoConfig) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)> {
        Ok((Self, Arc::new(NoEffects)))
    }

    fn migrations() -> Migrations {
        store::migrations!("tests/rally/migrations/ping")
    }

    fn routes() -> OpenApiRouter<App<Self>> {
        OpenApiRouter::default()
    }

    fn tables() -> Vec<Box<dyn Listed>> {
        vec![TableOf::<Rally>::listed()]
    }
}

impl Described<Rallies> for Ping {
    type Row = Rally;

    fn simulated() -> Self {
        Self
    }

    fn outside(_: &Arc<Umpire>) -> Arc<dyn Outside<Self>> {
        Arc::new(NoEffects)
    }

    fn world(rallies: Rows<Rally>, (): &()) -> Rows<Rally> {
        rallies
    }

    fn rows(world: &Rows<Rally>) -> &Rows<Rally> {
        world
    }

    fn beginnings() -> Vec<Rows<Rally>> {
        vec![Rows::absent([AGGREGATE.into()])]
    }

    fn settle(world: &mut Rows<Rally>) {
        if let Some(rally) = world.get_mut(&AGGREGATE.into()) {
            rally.returns = 0;
        }
    }

    fn openings(rally: RallyId) -> Vec<Serve> {
        vec![Serve { rally }]
    }

    fn outcomes(effect: &Never) -> Vec<Never> {
        match *effect {}
    }

    fn entry(effect: &Never, _: &Never) -> Option<()> {
        match *effect {}
    }
}
