//! The service booking, which accepts trips, and confirms or cancels them.

use std::sync::Arc;

use quintet::{
    axum::{Json, extract::State as Shared, http::StatusCode},
    http::{CommandResponse, Field},
    prelude::*,
    utoipa::{self, ToSchema},
    uuid_v7,
};
use serde::{Deserialize, Serialize};

use crate::contract::{Event, EventType, TripCancelled, TripConfirmed, TripId, TripRequested};

/// The service.
#[derive(Debug, Clone, Copy, Default)]
pub struct Booking;

/// A trip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trip {
    pub trip_id: TripId,
    pub state: State,
    pub flight: Part,
    pub hotel: Part,
    /// Why a part of the trip was refused.
    pub reason: Option<String>,
    pub traveller: String,
    pub destination: String,
    pub nights: i64,
}

quintet::text_enum! {
    /// The state of a trip. *Confirmed* and *cancelled* are final.
    pub enum State { Requested = "requested", Confirmed = "confirmed", Cancelled = "cancelled" }
}

quintet::text_enum! {
    /// The state of a part of a trip. It never decreases, so that the result does not depend on the order in which events
    /// arrive, nor on how often they do.
    pub enum Part {
        Unknown = "unknown", Reserved = "reserved", Refused = "refused", Released = "released",
    }
}

quintet::record!(Trip in "trip": trip_id: TripId, state: State, flight: Part, hotel: Part,
    reason: Option<String>; fixed traveller: String, destination: String, nights: i64);

#[async_trait]
impl Participant for Booking {
    const NAME: &'static str = "booking";
    const CONSUMES: &'static [EventType] = &[
        EventType::FlightReserved,
        EventType::FlightRefused,
        EventType::FlightReleased,
        EventType::HotelReserved,
        EventType::HotelRefused,
        EventType::HotelReleased,
    ];

    type Contract = Event;
    type World = Rows<Trip>;
    type Command = TripRequested;
    type Reply = CommandResponse;
    type Effect = Never;
    type Outcome = Never;
    type Alarm = Never;

    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<Rows<Trip>, StoreError> {
        let trips = inputs.iter().filter_map(|input| match &input.what {
            What::Command(request) => Some(request.trip_id),
            _ => input.aggregate(),
        });
        Rows::load(tx, trips).await
    }

    async fn save(&self, tx: &mut Tx, world: &Rows<Trip>) -> Result<(), StoreError> {
        world.save(tx).await
    }

    fn react(world: &mut Rows<Trip>, input: &Input<Self>, out: &mut Reaction<Self>) {
        match &input.what {
            What::Command(request) => accept(world, request, out),
            What::Event(event) => {
                let trip = input.aggregate().and_then(|trip_id| world.get_mut(&trip_id));
                if let Some(trip) = trip {
                    update_part(trip, event);
                    end(trip, out);
                }
            }
            What::Outcome(_, never) | What::Alarm(_, never) => match *never {},
        }
    }
}

fn accept(world: &mut Rows<Trip>, request: &TripRequested, out: &mut Reaction<Booking>) {
    let TripRequested { trip_id, traveller, destination, nights } = request.clone();
    let (state, flight, hotel, reason) = (State::Requested, Part::Unknown, Part::Unknown, None);
    let trip = Trip { trip_id, state, flight, hotel, reason, traveller, destination, nights };
    out.reply(CommandResponse::new(StatusCode::ACCEPTED, &trip).at(format!("/trips/{trip_id}")));
    world.put(trip);
    out.emit(request.clone());
}

/// Updates the part of the trip that an event is about.
fn update_part(trip: &mut Trip, event: &Event) {
    let (part, new, reason) = match event {
        Event::FlightReserved(_) => (&mut trip.flight, Part::Reserved, None),
        Event::FlightRefused(refused) => (&mut trip.flight, Part::Refused, Some(&refused.reason)),
        Event::FlightReleased(_) => (&mut trip.flight, Part::Released, None),
        Event::HotelReserved(_) => (&mut trip.hotel, Part::Reserved, None),
        Event::HotelRefused(refused) => (&mut trip.hotel, Part::Refused, Some(&refused.reason)),
        Event::HotelReleased(_) => (&mut trip.hotel, Part::Released, None),
        _ => return,
    };
    *part = new.max(*part);
    // If both parts are refused, the smaller reason is stored, whichever event comes first.
    trip.reason = trip.reason.take().into_iter().chain(reason.cloned()).min();
}

/// Confirms the trip if both parts are reserved. Cancels it if no part is reserved any more and one was refused.
fn end(trip: &mut Trip, out: &mut Reaction<Booking>) {
    let trip_id = trip.trip_id;
    let over = |part| matches!(part, Part::Refused | Part::Released);
    match (trip.state, trip.flight, trip.hotel) {
        (State::Requested, Part::Reserved, Part::Reserved) => {
            trip.state = State::Confirmed;
            out.emit(TripConfirmed { trip_id });
        }
        (State::Requested, flight, hotel) if over(flight) && over(hotel) => {
            // A part is released only after the other was refused, but its event may arrive first. Then there is no reason
            // yet.
            let Some(reason) = trip.reason.clone() else { return };
            trip.state = State::Cancelled;
            out.emit(TripCancelled { trip_id, reason });
        }
        _ => {}
    }
}

impl Service for Booking {
    const CONFIG: &'static str = include_str!("../config/booking.toml");
    type Config = NoConfig;

    fn open(_: &NoConfig) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)> {
        Ok((Self, Arc::new(NoEffects)))
    }

    fn migrations() -> Migrations {
        quintet::migrations!("migrations/booking")
    }

    fn routes() -> OpenApiRouter<App<Self>> {
        OpenApiRouter::default().routes(routes!(post_trip)).routes(routes!(get_trip))
    }

    fn tables() -> Vec<Box<dyn Listed>> {
        vec![TableOf::<Trip>::listed()]
    }
}

impl FromJson<App<Booking>> for TripRequested {
    fn read(body: &Field<'_>, app: &App<Booking>) -> Option<Self> {
        Some(Self {
            trip_id: uuid_v7(&*app.clock, &*app.random).into(),
            traveller: body.at("traveller").text(200),
            destination: body.at("destination").text(200),
            nights: body.at("nights").integer(1..=365),
        })
    }
}

/// Books a trip.
#[utoipa::path(post, path = "/trips", operation_id = "book_trip", tag = "trips",
    params(Idempotency),
    request_body(content = Value,
        example = json!({ "traveller": "Ada", "destination": "Lisbon", "nights": 3 })),
    responses((status = 202, description = "The trip is being booked.", body = Trip)))]
async fn post_trip(
    Shared(app): Shared<App<Booking>>,
    key: Idempotency,
    TraceContext(trace): TraceContext,
    Body { value, fingerprint }: Body<TripRequested>,
) -> Result<CommandResponse, Problem> {
    Ok(app.commands.send(value, key.key("POST /trips", fingerprint), trace).await?)
}

/// Shows a trip.
#[utoipa::path(get, path = "/trips/{id}", operation_id = "get_trip", tag = "trips",
    params(("id" = TripId, Path, description = "The trip.")),
    responses((status = 200, description = "The trip as it is now.", body = Trip),
        (status = 404, description = "There is no such trip.")))]
async fn get_trip(
    Shared(app): Shared<App<Booking>>,
    AggregatePath(id): AggregatePath<TripId>,
) -> Result<Json<Trip>, Problem> {
    let trip: Option<Trip> = app.engine.db().find(id).await?;
    trip.map(Json).ok_or_else(|| Problem::not_found("such trip"))
}
