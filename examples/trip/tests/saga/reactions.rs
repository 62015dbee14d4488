//! Tests of the reactions: the result does not depend on the order of events, nor on repeats.

use quintet::prelude::*;
use quintet_test::{aggregate, example, react};
use trip::{
    Booking, Flights,
    booking::{Part, State, Trip},
    contract::{Event, EventType},
    desk::{Answer, Ask},
    supplier::{self, Reservation},
};

use super::described::Trips;

fn event<P: Participant<Contract = Event>>(kind: EventType) -> What<P> {
    What::Event(example(kind))
}

/// All orders of these events.
fn orders(kinds: &[EventType]) -> Vec<Vec<EventType>> {
    if kinds.is_empty() {
        return vec![Vec::new()];
    }
    let mut orders = Vec::new();
    for (nth, first) in kinds.iter().enumerate() {
        let rest: Vec<_> = [&kinds[..nth], &kinds[nth + 1..]].concat();
        orders.extend(self::orders(&rest).into_iter().map(|rest| [vec![*first], rest].concat()));
    }
    orders
}

/// Applies a request and these events to booking. Returns the trip, and the events that booking has emitted.
fn booked(events: &[EventType]) -> (Trip, Vec<EventType>) {
    let trip_id = aggregate::<Event>();
    let mut world = Rows::absent([trip_id]);
    let request = <Booking as quintet_test::Described<Trips>>::openings(trip_id).remove(0);
    let accepted = react::<Booking>(&mut world, What::Command(request));
    let mut emitted: Vec<EventType> = accepted.events().map(Event::event_type).collect();
    for kind in events {
        let reaction = react::<Booking>(&mut world, event(*kind));
        emitted.extend(reaction.events().map(Event::event_type));
    }
    (world.get(&trip_id).cloned().expect("a trip"), emitted)
}

#[test]
fn a_trip_ends_the_same_in_any_order_and_repeats_do_nothing() {
    use EventType::{
        FlightRefused, FlightReleased, FlightReserved, HotelRefused, HotelReleased, HotelReserved,
        TripCancelled, TripConfirmed, TripRequested,
    };
    let cases: [(&[EventType], State, EventType); 5] = [
        (&[FlightReserved, HotelReserved], State::Confirmed, TripConfirmed),
        (&[FlightRefused, HotelReserved, HotelReleased], State::Cancelled, TripCancelled),
        (&[FlightReserved, HotelRefused, FlightReleased], State::Cancelled, TripCancelled),
        (&[FlightRefused, HotelReleased], State::Cancelled, TripCancelled),
        (&[FlightRefused, HotelRefused], State::Cancelled, TripCancelled),
    ];
    for (events, state, end) in cases {
        let mut seen: Vec<Trip> = Vec::new();
        for order in orders(events) {
            let (trip, emitted) = booked(&[order.clone(), order.clone()].concat());
            assert_eq!((trip.state, &emitted[..]), (state, &[TripRequested, end][..]), "{order:?}");
            assert!(seen.iter().all(|other| *other == trip), "{order:?}: {trip:?} and {seen:?}");
            seen.push(trip);
        }
    }
}

#[test]
fn a_trip_with_an_unknown_part_does_not_end() {
    for kind in [EventType::FlightRefused, EventType::HotelReserved, EventType::HotelReleased] {
        let (trip, emitted) = booked(&[kind]);
        assert_eq!((trip.state, emitted), (State::Requested, vec![EventType::TripRequested]));
    }
    assert_eq!(booked(&[EventType::FlightRefused]).0.flight, Part::Refused);
}

/// An input of flights.
#[derive(Debug, Clone)]
enum FlightsInput {
    Event(EventType),
    Answer(Answer),
}

/// Applies these inputs to flights. Returns the state of the reservation, the events that flights has emitted, and its
/// requests.
fn reserved(inputs: &[FlightsInput]) -> (supplier::State, Vec<EventType>, Vec<Ask>) {
    let trip_id = aggregate::<Event>();
    let mut world = Rows::<Reservation>::absent([trip_id]);
    let (mut emitted, mut asked) = (Vec::new(), Vec::new());
    for input in inputs {
        let what = match input {
            FlightsInput::Event(kind) => event(*kind),
            FlightsInput::Answer(answer) => What::Outcome(trip_id, answer.clone()),
        };
        let reaction = react::<Flights>(&mut world, what);
        emitted.extend(reaction.events().map(Event::event_type));
        asked.extend(reaction.effects().iter().cloned());
    }
    (world.get(&trip_id).expect("a reservation").state, emitted, asked)
}

#[test]
fn a_flight_is_released_at_whatever_time_the_room_is_refused() {
    let (requested, refused) = (EventType::TripRequested, EventType::HotelRefused);
    let answer = || FlightsInput::Answer(Answer::Reserved { reference: "F-7".to_owned() });
    let released = || FlightsInput::Answer(Answer::Released);
    let refused = || FlightsInput::Event(refused);
    let requested = || FlightsInput::Event(requested);
    for (inputs, emits, asks) in [
        (vec![requested(), answer(), refused(), released()], 2, 2),
        (vec![requested(), refused(), answer(), released()], 1, 2),
        (vec![refused(), requested()], 1, 0),
        (vec![requested(), requested(), answer(), refused(), refused(), released()], 2, 2),
    ] {
        let (state, emitted, asked) = reserved(&inputs);
        assert_eq!(state, supplier::State::Released, "{inputs:?}");
        assert_eq!(emitted.last(), Some(&EventType::FlightReleased), "{inputs:?}");
        assert_eq!((emitted.len(), asked.len()), (emits, asks), "{inputs:?}: {asked:?}");
    }
}

#[test]
fn a_release_that_never_arrived_is_requested_again_under_another_key() {
    let never_arrived = Answer::Refused { reason: "an operator looked".to_owned() };
    let reserved_then_refused = [
        FlightsInput::Event(EventType::TripRequested),
        FlightsInput::Answer(Answer::Reserved { reference: "F-7".to_owned() }),
        FlightsInput::Event(EventType::HotelRefused),
        FlightsInput::Answer(never_arrived),
    ];
    let (state, _, asked) = reserved(&reserved_then_refused);
    assert_eq!(state, supplier::State::Releasing);
    let names: Vec<String> = asked.iter().map(Effect::name).collect();
    assert_eq!(names, ["reserve-flight", "release-flight-1", "release-flight-2"]);
}
