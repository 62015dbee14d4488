//! The service pong, which has the umpire judge each ball and then returns it.

use std::sync::Arc;

use async_trait::async_trait;
use engine::{
    Attempt, Effect, Impossible, Input, Never, Outside, Participant, Reaction, Resolution, What,
};
use event::{EffectId, Trace};
use quintet_test::{AGGREGATE, Described};
use serde::{Deserialize, Serialize};
use service::{App, Listed, NoConfig, Service, TableOf};
use store::{Migrations, Rows, StoreError, Tx, record};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    Rallies,
    contract::{Event, EventType, RallyId, Returned},
    umpire::{Call, Umpire},
};

/// The service. If it `FORGETS`, it does not return a ball that is out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pong<const FORGETS: bool>;

/// A ball, as pong stores it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    pub id: RallyId,
    /// `asked` or `judged`.
    pub state: String,
}

record!(Hit in "hit": id: RallyId, state: String);

/// A request to the umpire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judge(pub RallyId);

impl Effect<RallyId> for Judge {
    fn aggregate(&self) -> RallyId {
        self.0
    }

    fn name(&self) -> String {
        "judge".to_owned()
    }
}

#[async_trait]
impl<const FORGETS: bool> Participant for Pong<FORGETS> {
    const NAME: &'static str = "pong";
    const CONSUMES: &'static [EventType] = &[EventType::Served];

    type Contract = Event;
    type World = Rows<Hit>;
    type Command = Never;
    type Reply = Never;
    type Effect = Judge;
    type Outcome = Call;
    type Alarm = Never;

    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<Self::World, StoreError> {
        Rows::load(tx, inputs.iter().filter_map(|input| input.aggregate())).await
    }

    async fn save(&self, tx: &mut Tx, world: &Self::World) -> Result<(), StoreError> {
        world.save(tx).await
    }

    fn react(world: &mut Self::World, input: &Input<Self>, out: &mut Reaction<Self>) {
        match &input.what {
            What::Event(Event::Served(served)) => {
                let id = served.rally_id;
                if world.get(&id).is_none() {
                    world.put(Hit { id, state: "asked".to_owned() });
                    out.request(Judge(id));
                }
            }
            What::Outcome(id, call) => {
                if let Some(hit) = world.get_mut(id) {
                    "judged".clone_into(&mut hit.state);
                }
                if !(FORGETS && *call == Call::Out) {
                    out.emit(Returned { rally_id: *id });
                }
            }
            What::Event(_) => {}
            What::Command(never) | What::Alarm(_, never) => match *never {},
        }
    }

    fn resolve(_: &Judge, found: &Resolution) -> Result<Call, Impossible> {
        match found.outcome.as_str() {
            "in" => Ok(Call::In),
            "out" | Resolution::NEVER_ARRIVED => Ok(Call::Out),
            _ => Err(Impossible::outcome("in, out or never_arrived")),
        }
    }
}

/// Pong's access to the umpire.
struct ToUmpire(Arc<Umpire>);

#[async_trait]
impl<const FORGETS: bool> Outside<Pong<FORGETS>> for ToUmpire {
    async fn attempt(&self, id: EffectId, Judge(rally): Judge, _: Trace) -> Attempt<Call> {
        self.0.judge(id, rally.uuid())
    }
}

impl<const FORGETS: bool> Service for Pong<FORGETS> {
    const CONFIG: &'static str = "";
    type Config = NoConfig;

    fn open(_: &NoConfig) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)> {
        anyhow::bail!("pong is only simulated")
    }

    fn migrations() -> Migrations {
        store::migrations!("tests/rally/migrations/pong")
    }

    fn routes() -> OpenApiRouter<App<Self>> {
        OpenApiRouter::default()
    }

    fn tables() -> Vec<Box<dyn Listed>> {
        vec![TableOf::<Hit>::listed()]
    }
}

impl<const FORGETS: bool> Described<Rallies> for Pong<FORGETS> {
    type Row = Hit;

    fn simulated() -> Self {
        Self
    }

    fn outside(umpire: &Arc<Umpire>) -> Arc<dyn Outside<Self>> {
        Arc::new(ToUmpire(Arc::clone(umpire)))
    }

    fn world(hits: Rows<Hit>, (): &()) -> Rows<Hit> {
        hits
    }

    fn rows(world: &Rows<Hit>) -> &Rows<Hit> {
        world
    }

    fn beginnings() -> Vec<Rows<Hit>> {
        vec![Rows::absent([AGGREGATE.into()])]
    }

    fn outcomes(_: &Judge) -> Vec<Call> {
        vec![Call::In, Call::Out]
    }

    fn entry(_: &Judge, _: &Call) -> Option<()> {
        None
    }
}
