//! The services flights and hotels. Each reserves its part of a trip at the desk, and gives it back if the other part is
//! refused. They differ in their names and their events alone.

use std::{collections::BTreeMap, marker::PhantomData, sync::Arc};

use quintet::{
    answer,
    prelude::*,
    reqwest::{Client, StatusCode, Url},
};
use serde::{Deserialize, Serialize};

use crate::{
    contract::{Event, EventType, TripId},
    desk::{Answer, Ask},
};

/// The parts in which the suppliers differ.
pub trait Supplies: Copy + Default + Send + Sync + 'static {
    const NAME: &'static str;
    const CONFIG: &'static str;
    /// The kind of thing that it reserves.
    const KIND: &'static str;
    /// The request for a trip, and the refusal of the other part.
    const CONSUMES: &'static [EventType];
    const RESERVED: fn(TripId, String) -> Event;
    const REFUSED: fn(TripId, String) -> Event;
    const RELEASED: fn(TripId) -> Event;
}

/// A service that reserves its part of a trip.
#[derive(Debug, Clone, Copy, Default)]
pub struct Supplier<S>(PhantomData<S>);

quintet::text_enum! {
    /// The state of a reservation. *Refused* and *released* are final.
    pub enum State {
        Unknown = "unknown",
        /// A request to reserve is under way.
        Asking = "asking",
        /// A request to reserve is under way, and the other part was refused meanwhile.
        AskingInVain = "asking_in_vain",
        Reserved = "reserved",
        Refused = "refused",
        /// A request to release is under way.
        Releasing = "releasing",
        Released = "released",
    }
}

/// A supplier's part of a trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reservation {
    pub trip_id: TripId,
    pub state: State,
    /// The desk's reference.
    pub reference: Option<String>,
    /// The number of requests to release it. Each has a key of its own.
    pub releases: i64,
}

quintet::record!(Reservation in "reservation":
    trip_id: TripId, state: State, reference: Option<String>, releases: i64);

impl Effect<TripId> for Ask {
    fn aggregate(&self) -> TripId {
        match self {
            Self::Reserve { trip_id, .. } | Self::Release { trip_id, .. } => *trip_id,
        }
    }

    /// Both suppliers send requests about the same trip to the same desk. The kind makes their idempotency keys differ.
    fn name(&self) -> String {
        match self {
            Self::Reserve { kind, .. } => format!("reserve-{kind}"),
            Self::Release { kind, attempt, .. } => format!("release-{kind}-{attempt}"),
        }
    }
}

#[async_trait]
impl<S: Supplies> Participant for Supplier<S> {
    const NAME: &'static str = S::NAME;
    const CONSUMES: &'static [EventType] = S::CONSUMES;

    type Contract = Event;
    type World = Rows<Reservation>;
    type Command = Never;
    type Reply = Never;
    type Effect = Ask;
    type Outcome = Answer;
    type Alarm = Never;

    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<Self::World, StoreError> {
        Rows::load(tx, inputs.iter().filter_map(|input| input.aggregate())).await
    }

    async fn save(&self, tx: &mut Tx, world: &Self::World) -> Result<(), StoreError> {
        world.save(tx).await
    }

    fn react(world: &mut Self::World, input: &Input<Self>, out: &mut Reaction<Self>) {
        let Some(trip_id) = input.aggregate() else { return };
        let mut reservation = world.get(&trip_id).cloned().unwrap_or(Reservation::unknown(trip_id));
        match (reservation.state, &input.what) {
            (State::Unknown, What::Event(Event::TripRequested(trip))) => {
                reservation.state = State::Asking;
                let (kind, destination) = (S::KIND.to_owned(), trip.destination.clone());
                out.request(Ask::Reserve { trip_id, kind, destination });
            }
            (state, What::Event(Event::FlightRefused(_) | Event::HotelRefused(_))) => match state {
                // The request for the trip has not arrived yet. When it does, nothing will be reserved for it.
                State::Unknown => reservation.released(out),
                State::Asking => reservation.state = State::AskingInVain,
                State::Reserved => reservation.release(out),
                _ => {}
            },
            (State::Asking, What::Outcome(_, Answer::Reserved { reference })) => {
                reservation.state = State::Reserved;
                reservation.reference = Some(reference.clone());
                out.emit((S::RESERVED)(trip_id, reference.clone()));
            }
            (State::AskingInVain, What::Outcome(_, Answer::Reserved { reference })) => {
                reservation.reference = Some(reference.clone());
                reservation.release(out);
            }
            (State::Asking | State::AskingInVain, What::Outcome(_, Answer::Refused { reason })) => {
                reservation.state = State::Refused;
                out.emit((S::REFUSED)(trip_id, reason.clone()));
            }
            (State::Releasing, What::Outcome(_, Answer::Released)) => reservation.released(out),
            // An operator has found that the request to release never arrived and never will, so there is a new one.
            (State::Releasing, What::Outcome(_, Answer::Refused { .. })) => {
                reservation.release(out);
            }
            _ => return,
        }
        world.put(reservation);
    }

    fn resolve(_: &Ask, found: &Resolution) -> Result<Answer, Impossible> {
        match &*found.outcome {
            "reserved" => Ok(Answer::Reserved { reference: found.reference()? }),
            "released" => Ok(Answer::Released),
            "refused" | Resolution::NEVER_ARRIVED => Ok(Answer::Refused { reason: found.reason() }),
            _ => Err(Impossible::outcome("reserved, released, refused or never_arrived")),
        }
    }
}

impl Reservation {
    fn unknown(trip_id: TripId) -> Self {
        Self { trip_id, state: State::Unknown, reference: None, releases: 0 }
    }

    fn release<S: Supplies>(&mut self, out: &mut Reaction<Supplier<S>>) {
        let Some(reference) = self.reference.clone() else { return };
        self.state = State::Releasing;
        self.releases += 1;
        let (trip_id, kind, attempt) = (self.trip_id, S::KIND.to_owned(), self.releases);
        out.request(Ask::Release { trip_id, kind, reference, attempt });
    }

    fn released<S: Supplies>(&mut self, out: &mut Reaction<Supplier<S>>) {
        self.state = State::Released;
        out.emit((S::RELEASED)(self.trip_id));
    }
}

/// The access to the desk.
struct ToDesk {
    client: Client,
    url: Url,
}

#[async_trait]
impl<S: Supplies> Outside<Supplier<S>> for ToDesk {
    async fn attempt(&self, id: EffectId, ask: Ask, trace: Trace) -> Attempt<Answer> {
        let request = self.client.post(self.url.clone()).json(&ask);
        answer(request, id, &trace, |_, answer| Some(answer), &[StatusCode::OK]).await
    }
}

/// The settings that only suppliers have.
#[derive(Debug, Deserialize)]
pub struct Config {
    desk: BTreeMap<String, String>,
}

impl<S: Supplies> Service for Supplier<S> {
    const CONFIG: &'static str = S::CONFIG;
    type Config = Config;

    fn open(config: &Config) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)> {
        let url = quintet::provider_url(&format!("{}/asks", config.desk["url"]))?;
        Ok((Self::default(), Arc::new(ToDesk { client: quintet::client()?, url })))
    }

    fn migrations() -> Migrations {
        quintet::migrations!("migrations/supplier")
    }

    fn tables() -> Vec<Box<dyn Listed>> {
        vec![TableOf::<Reservation>::listed()]
    }
}
