//! The service tickets takes customers' requests, and sells or cancels a ticket once it knows the price of the seat.

mod http;
mod on;

use std::sync::Arc;

use quintet::{
    http::CommandResponse,
    prelude::*,
    utoipa::{self, ToSchema},
};
use serde::{Deserialize, Serialize};

use crate::contract::{Event, EventType, TicketId};

pub use on::request_ticket::RequestTicket;

/// The service.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tickets;

/// A ticket: a row of the service's table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ticket {
    pub ticket_id: TicketId,
    pub state: State,
    pub show: String,
    /// What the customer pays at most, in euros.
    pub budget: i64,
}

quintet::text_enum! {
    /// The states of a ticket. *Sold* and *cancelled* are final.
    pub enum State {
        Requested = "requested",
        Sold = "sold",
        Cancelled = "cancelled",
    }
}

// Columns after `fixed` are written when the row is inserted and never change.
quintet::record!(Ticket in "ticket": ticket_id: TicketId, state: State; fixed show: String, budget: i64);

/// What the service does in answer to one input.
type Out = Reaction<Tickets>;

#[async_trait]
impl Participant for Tickets {
    const NAME: &'static str = "tickets";
    const CONSUMES: &'static [EventType] = &[EventType::SeatHeld];

    type Contract = Event;
    type World = Rows<Ticket>;
    type Command = RequestTicket;
    // The response to a request is stored under its `Idempotency-Key`: a repeat gets the same bytes.
    type Reply = CommandResponse;
    // The service sends no requests to the outside world, and sets no alarms.
    type Effect = Never;
    type Outcome = Never;
    type Alarm = Never;

    /// A pure function: no clock, no randomness, no I/O. The changed rows and the emitted events are committed in one
    /// transaction.
    fn react(world: &mut Rows<Ticket>, input: &Input<Self>, out: &mut Out) {
        match &input.what {
            What::Command(command) => on::request_ticket::react(world, command, out),
            What::Event(Event::SeatHeld(event)) => on::seat_held::react(world, event, out),
            What::Event(_) => {}
            What::Outcome(_, never) | What::Alarm(_, never) => match *never {},
        }
    }

    /// Loads the rows of a whole batch of inputs in one query.
    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<Rows<Ticket>, StoreError> {
        let tickets = inputs.iter().filter_map(|input| match &input.what {
            What::Command(command) => Some(command.ticket_id),
            _ => input.aggregate(),
        });
        Rows::load(tx, tickets).await
    }

    async fn save(&self, tx: &mut Tx, world: &Rows<Ticket>) -> Result<(), StoreError> {
        world.save(tx).await
    }
}

/// The participant as a process.
impl Service for Tickets {
    const CONFIG: &'static str = include_str!("../../config/tickets.toml");
    type Config = NoConfig;

    fn open(_: &NoConfig) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)> {
        Ok((Self, Arc::new(NoEffects)))
    }

    fn migrations() -> Migrations {
        quintet::migrations!("migrations/tickets")
    }

    fn routes() -> OpenApiRouter<App<Self>> {
        http::routes()
    }

    fn tables() -> Vec<Box<dyn Listed>> {
        vec![TableOf::<Ticket>::listed()]
    }
}
