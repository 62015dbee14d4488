//! The properties. The auditor's seven invariants are checked in every state at rest, all others in every state.

use std::{collections::BTreeSet, sync::PoisonError};

use crate::Publisher;
use audit::{End, Notified, OrderRow, PaymentState, ReservationState, Row, ShipmentState};
use contracts::{CancelReason, Event, EventType, Milestone, OrderId};
use event::Contract as _;
use stateright::Property;

use crate::{
    Freedom, Saga, Scenario, State,
    cast::Cast,
    done::Done,
    part::{Cue, FIRST_DEADLINE, alarm_number},
    script::Delivery,
    state::Life,
};

type Holds = fn(&Saga, &State) -> bool;

/// All properties: what must always hold, what must eventually happen, and what must be possible. The last kind
/// shows that the search really reaches these states.
pub(crate) fn all(scenario: &Scenario) -> Vec<Property<Saga>> {
    let count = if scenario.restored.is_some() { AFTER_A_LOSS } else { ALWAYS.len() };
    let always = ALWAYS[..count].iter().map(|(name, holds)| Property::always(name, *holds));
    let eventually = Property::eventually("every order ends", every_order_has_ended);
    let possible = possible(scenario);
    let sometimes = possible.into_iter().map(|(name, holds)| Property::sometimes(name, holds));
    always.chain([eventually]).chain(sometimes).collect()
}

/// How many of [`ALWAYS`] also hold if a database is lost. The others compare with what the service did before,
/// which it has forgotten.
const AFTER_A_LOSS: usize = 11;

const ALWAYS: [(&str, Holds); 15] = [
    ("1 at rest every order has ended, once", |saga, state| saga.sound(state, 1)),
    ("2 completed: charged once, shipped once", |saga, state| saga.sound(state, 2)),
    ("3 cancelled: nothing kept, nothing shipped", |saga, state| saga.sound(state, 3)),
    ("4 stock adds up", |saga, state| saga.sound(state, 4)),
    ("5 the providers' ledger agrees", |saga, state| saga.sound(state, 5)),
    ("6 one mail per milestone and order", |saga, state| saga.sound(state, 6)),
    ("7 at rest nothing waits", |saga, state| saga.sound(state, 7)),
    ("at rest every row is final", |saga, state| !saga.rests(state) || saga.all_final(state)),
    ("captured, refunded, booked at most once", at_most_once),
    ("never shipped and refunded", never_shipped_and_refunded),
    ("no stock is negative", no_stock_is_negative),
    ("an end is true when it is published", ends_are_true),
    ("every event is published once, and one end", published_once),
    ("a repeated event does nothing", repeats_do_nothing),
    ("an open order has one deadline, or needs attention", one_deadline),
];

fn possible(scenario: &Scenario) -> Vec<(&'static str, Holds)> {
    let mut possible: Vec<(&'static str, Holds)> = Vec::new();
    if scenario.stock > 0 {
        possible.extend(WITH_STOCK);
    }
    if scenario.stock < i64::try_from(scenario.orders).unwrap_or(i64::MAX) {
        possible.push(("out of stock", |saga, state| saga.caused(state, CancelReason::OutOfStock)));
    }
    if scenario.refusals > 0 {
        possible
            .push(("a refund is refused", |saga, state| saga.pays(state, PaymentState::Attention)));
    }
    if scenario.has(Freedom::Cancellations) {
        possible.push(("the customer cancels", |saga, state| {
            saga.caused(state, CancelReason::CustomerRequest)
        }));
        possible.push(("undone before inventory knew it", has_tombstone));
    }
    if scenario.has(Freedom::Cancellations) && scenario.stock > 0 {
        possible.extend(CANCELLED_LATE);
    }
    if scenario.has(Freedom::Deadlines) {
        possible.extend(LATE);
    }
    if scenario.has(Freedom::Held) {
        possible.push(("an operator reports that a request never arrived", never_arrived));
    }
    possible
}

fn never_arrived(saga: &Saga, state: &State) -> bool {
    saga.lives(state).any(|(cast, life)| {
        life.answers.iter().any(|(number, answer)| {
            let request = cast.script.request(number);
            cast.part(request.by).is_reported(request.number, answer)
        })
    })
}

const WITH_STOCK: [(&str, Holds); 3] = [
    ("completed", |saga, state| saga.orders(state, is_completed)),
    ("payment declined", |saga, state| saga.caused(state, CancelReason::PaymentDeclined)),
    ("shipment failed", |saga, state| saga.caused(state, CancelReason::ShipmentFailed)),
];

const CANCELLED_LATE: [(&str, Holds); 2] = [
    ("completed although cancelling was requested", |saga, state| {
        saga.orders(state, |order| is_completed(order) && order.requested.is_some())
    }),
    ("undone while charging", |saga, state| saga.pays(state, PaymentState::ChargingUndo)),
];

const LATE: [(&str, Holds); 3] = [
    ("not paid in time, before the first deadline", not_paid_in_time),
    ("the deadline cancels", |saga, state| saga.caused(state, CancelReason::Deadline)),
    ("an order needs attention", |saga, state| saga.orders(state, |order| order.needs_attention)),
];

fn one_deadline(saga: &Saga, state: &State) -> bool {
    let mut rows = state.lives.iter().zip(saga.rows(state, Publisher::Order));
    rows.all(|(life, row)| match row.as_deref() {
        Some(Row::Orders(order)) if order.ended.is_none() => {
            life.alarms.len() == usize::from(!order.needs_attention)
        }
        _ => life.alarms.is_empty(),
    })
}

/// The payment deadline has fired, and the first deadline has not.
fn not_paid_in_time(saga: &Saga, state: &State) -> bool {
    saga.with_alarm(state, FIRST_DEADLINE, |order| order.requested == Some(CancelReason::Deadline))
}

fn is_completed(order: &OrderRow) -> bool {
    order.ended == Some(End::Completed)
}

fn has_tombstone(saga: &Saga, state: &State) -> bool {
    let mut rows = saga.rows(state, Publisher::Inventory).flatten();
    rows.any(|row| stock_is(&row, ReservationState::Tombstone))
}

fn stock_is(row: &Row, state: ReservationState) -> bool {
    matches!(row, Row::Reservation(row) if row.state == state)
}

impl Saga {
    /// Whether the state is at rest: no event and no request is pending, and no operator has to act.
    fn rests(&self, state: &State) -> bool {
        // In round 1, a restored service has not received everything again yet.
        state.round != 1
            && state.lives.iter().all(|life| life.flying.is_empty() && life.waiting.is_empty())
            && !self.pays(state, PaymentState::Attention)
    }

    /// Whether this invariant holds according to the auditor. Only states at rest are audited; all others count as
    /// sound.
    fn sound(&self, state: &State, invariant: u8) -> bool {
        if !self.rests(state) {
            return true;
        }
        let cached =
            self.audit_results.lock().unwrap_or_else(PoisonError::into_inner).get(state).copied();
        let broken = cached.unwrap_or_else(|| self.audit_at_rest(state));
        broken & (1 << invariant) == 0
    }

    /// Audits a state at rest. Bit n of the result is set if invariant n is broken.
    fn audit_at_rest(&self, state: &State) -> u8 {
        let report = self.audit(state);
        let broken = report.invariants.iter().filter(|invariant| !invariant.holds);
        let broken = broken.fold(0, |bits, invariant| bits | (1 << invariant.number));
        let mut audit_results = self.audit_results.lock().unwrap_or_else(PoisonError::into_inner);
        audit_results.insert(state.clone(), broken);
        broken
    }

    fn orders(&self, state: &State, is: impl Fn(&OrderRow) -> bool) -> bool {
        let mut rows = self.rows(state, Publisher::Order).flatten();
        rows.any(|row| matches!(&*row, Row::Orders(order) if is(order)))
    }

    /// Whether this alarm is set for an order of which this is so.
    fn with_alarm(&self, state: &State, name: &str, is: impl Fn(&OrderRow) -> bool) -> bool {
        let alarm = alarm_number(name);
        let is_set = |life: &Life| alarm.is_some_and(|alarm| life.alarms.contains(alarm));
        let mut rows = state.lives.iter().zip(self.rows(state, Publisher::Order));
        rows.any(|(life, row)| {
            is_set(life) && matches!(row.as_deref(), Some(Row::Orders(order)) if is(order))
        })
    }

    fn caused(&self, state: &State, reason: CancelReason) -> bool {
        self.orders(state, |order| order.ended.is_some() && order.cause == Some(reason))
    }

    fn pays(&self, state: &State, payment_state: PaymentState) -> bool {
        let mut rows = self.rows(state, Publisher::Payment).flatten();
        rows.any(|row| matches!(&*row, Row::Payment(row) if row.state == payment_state))
    }

    fn all_final(&self, state: &State) -> bool {
        let services = [
            Publisher::Inventory,
            Publisher::Payment,
            Publisher::Shipping,
            Publisher::Notification,
        ];
        services
            .iter()
            .flat_map(|service| self.rows(state, *service))
            .flatten()
            .all(|row| is_final(&row))
    }
}

fn is_final(row: &Row) -> bool {
    use PaymentState::{Captured, Declined, Refunded};
    match row {
        Row::Reservation(row) => row.state != ReservationState::Reserved,
        Row::Payment(row) => matches!(
            row.state,
            Captured | Declined | Refunded | PaymentState::Voided | PaymentState::Closed
        ),
        Row::Shipment(row) => matches!(
            row.state,
            ShipmentState::Dispatched
                | ShipmentState::Failed
                | ShipmentState::Voided
                | ShipmentState::Closed
        ),
        Row::Notification(row) => row.state == Notified::Both,
        Row::Orders(_) | Row::Product(_) => true,
    }
}

fn every_order_has_ended(saga: &Saga, state: &State) -> bool {
    !saga.orders(state, |order| order.ended.is_none())
}

/// A consumer of an order's end may rely on it: everything that the end implies has happened by then.
fn ends_are_true(saga: &Saga, state: &State) -> bool {
    if saga.orders(state, |order| order.ended.is_some()) {
        let done = saga.done(state);
        let stock = saga.rows(state, Publisher::Inventory);
        return saga.rows(state, Publisher::Order).zip(stock).all(|(order, stock)| {
            let Some(Row::Orders(order)) = order.as_deref() else { return true };
            let reserved = stock.is_some_and(|row| stock_is(&row, ReservationState::Reserved));
            let is_among = |orders: &[OrderId]| orders.contains(&order.order_id);
            let (captured, refunded, booked) =
                (is_among(&done.captured), is_among(&done.refunded), is_among(&done.booked));
            match order.ended {
                Some(End::Completed) => captured && booked,
                Some(End::Cancelled) => captured == refunded && !booked && !reserved,
                None => true,
            }
        });
    }
    true
}

fn at_most_once(saga: &Saga, state: &State) -> bool {
    let once = |orders: &Vec<OrderId>| orders.iter().collect::<BTreeSet<_>>().len() == orders.len();
    let Done { captured, refunded, booked } = saga.done(state);
    [captured, refunded, booked].iter().all(once)
}

fn never_shipped_and_refunded(saga: &Saga, state: &State) -> bool {
    let Done { refunded, booked, .. } = saga.done(state);
    refunded.iter().all(|order| !booked.contains(order))
}

fn no_stock_is_negative(saga: &Saga, state: &State) -> bool {
    let product = saga.products.get(state.product);
    let least = [product.on_hand, product.reserved, product.shipped, product.available()];
    least.into_iter().all(|pieces| pieces >= 0)
}

/// There is one event of each type, one event about mail per milestone, and one end: completed or cancelled.
fn published_once(saga: &Saga, state: &State) -> bool {
    saga.lives(state).all(|(cast, life)| {
        let events = life.published().iter();
        let events = events.map(|delivery| cast.script.delivery(delivery).event);
        let events: BTreeSet<u16> = events.collect();
        let mut slots = BTreeSet::new();
        events.into_iter().all(|event| slots.insert(slot(&cast.script.event(event).event)))
    })
}

/// The slot of an event: there may be one event per slot. Both ends of an order share a slot.
fn slot(event: &Event) -> (EventType, Option<&'static str>) {
    match event {
        Event::OrderCancelled(_) => (EventType::OrderCompleted, None),
        Event::NotificationSent(sent) => (EventType::NotificationSent, Some(mail(sent.milestone))),
        Event::NotificationFailed(failed) => {
            (EventType::NotificationSent, Some(mail(failed.milestone)))
        }
        other => (other.event_type(), None),
    }
}

fn mail(milestone: Milestone) -> &'static str {
    match milestone {
        Milestone::Placed => "first",
        Milestone::Completed | Milestone::Cancelled => "last",
    }
}

/// In any state and without an inbox, a service that receives an event again changes no row, makes no request and
/// publishes no event that was not published before.
fn repeats_do_nothing(saga: &Saga, state: &State) -> bool {
    saga.lives(state).enumerate().all(|(nth, (cast, life))| {
        life.arrived
            .iter()
            .all(|delivery| repeat_does_nothing(saga, state, nth, cast, life, delivery))
    })
}

fn repeat_does_nothing(
    saga: &Saga,
    state: &State,
    nth: usize,
    cast: &Cast,
    life: &Life,
    delivery: u16,
) -> bool {
    let Delivery { event, to } = cast.script.delivery(delivery);
    let step = saga.step(state, nth, to, Cue::Event(event));
    let new = step.published.all().without(life.published());
    step.row == life.row(to)
        && step.product == state.product
        && new.is_empty()
        && step.requested.all().is_empty()
        && step.set.is_empty()
        && step.cleared.is_empty()
}
