//! The service seats holds a seat for each requested ticket, and frees it if the ticket is cancelled.

mod on;
mod undo;

use std::sync::Arc;

use quintet::prelude::*;
use serde::Serialize;

use crate::contract::{Event, EventType, TicketId};

/// The service.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seats;

/// The seat of a ticket: a row of the service's table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seat {
    pub ticket_id: TicketId,
    pub state: State,
    /// What it costs, in euros.
    pub price: i64,
}

quintet::text_enum! {
    /// The states of a seat. *Sold* and *freed* are final.
    pub enum State {
        Held = "held",
        Sold = "sold",
        Freed = "freed",
    }
}

quintet::record!(Seat in "seat": ticket_id: TicketId, state: State; fixed price: i64);

/// What the service does in answer to one input.
type Out = Reaction<Seats>;

#[async_trait]
impl Participant for Seats {
    const NAME: &'static str = "seats";
    const CONSUMES: &'static [EventType] = &[
        EventType::TicketRequested,
        EventType::TicketSold,
        EventType::TicketCancelled,
    ];

    type Contract = Event;
    type World = Rows<Seat>;
    type Command = Never;
    type Reply = Never;
    type Effect = Never;
    type Outcome = Never;
    type Alarm = Never;

    fn react(world: &mut Rows<Seat>, input: &Input<Self>, out: &mut Out) {
        match &input.what {
            What::Event(Event::TicketRequested(event)) => {
                on::ticket_requested::react(world, event, out);
            }
            What::Event(Event::TicketSold(event)) => on::ticket_sold::react(world, event),
            What::Event(Event::TicketCancelled(event)) => {
                undo::ticket_cancelled::react(world, event);
            }
            What::Event(_) => {}
            What::Command(never) | What::Outcome(_, never) | What::Alarm(_, never) => {
                match *never {}
            }
        }
    }

    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<Rows<Seat>, StoreError> {
        Rows::load(tx, inputs.iter().filter_map(|input| input.aggregate())).await
    }

    async fn save(&self, tx: &mut Tx, world: &Rows<Seat>) -> Result<(), StoreError> {
        world.save(tx).await
    }
}

impl Service for Seats {
    const CONFIG: &'static str = include_str!("../../config/seats.toml");
    type Config = NoConfig;

    fn open(_: &NoConfig) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)> {
        Ok((Self, Arc::new(NoEffects)))
    }

    fn migrations() -> Migrations {
        quintet::migrations!("migrations/seats")
    }

    fn routes() -> OpenApiRouter<App<Self>> {
        OpenApiRouter::default()
    }

    fn tables() -> Vec<Box<dyn Listed>> {
        vec![TableOf::<Seat>::listed()]
    }
}
