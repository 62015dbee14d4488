//! Shared by the tests of the reactions: inputs about one order, and rows that do not exist yet.

use contracts::{
    Address, CancelReason, Currency, Customer, Event, Money, OrderCancelled, OrderId, OrderPlaced,
    PaymentMethod, ShipmentFailed, ShipmentVoided, StockReserved,
};
use quintet::{Effect as _, EffectId, Rows, What};
use quintet_test::{histories, react};
use uuid::Uuid;

pub(crate) use quintet_test::{assert_ignored, assert_repeat_ignored};

use crate::{
    Charge, ChargeAnswer, Effect, Outcome, Payment, PaymentService, Refund, RefundAnswer, Reply,
    RetryRefund, State, World,
};

/// An input of the payment service.
pub(crate) type Incoming = What<PaymentService>;

/// Everything that follows from inputs, except the changed row. The payment service has no alarms.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Applied {
    pub(crate) events: Vec<Event>,
    pub(crate) requests: Vec<Effect>,
    pub(crate) reply: Option<Reply>,
}

impl Applied {
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    pub(crate) fn event(event: impl Into<Event>) -> Self {
        Self { events: vec![event.into()], ..Self::default() }
    }

    pub(crate) fn request(effect: Effect) -> Self {
        Self { requests: vec![effect], ..Self::default() }
    }

    pub(crate) fn reply(reply: Reply) -> Self {
        Self { reply: Some(reply), ..Self::default() }
    }
}

/// The row after all inputs of a story, and everything that followed from them.
#[derive(Debug, PartialEq)]
pub(crate) struct Ending {
    pub(crate) payment: Option<Payment>,
    pub(crate) followed: Applied,
}

pub(crate) fn order_id() -> OrderId {
    Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0001).into()
}

pub(crate) fn amount() -> Money {
    Money { amount_minor: 1597, currency: Currency::EUR }
}

pub(crate) fn placed() -> Incoming {
    let text = String::from;
    let shipping_address = Address {
        name: text("Clara Wieck"),
        street: text("Inselstraße 18"),
        city: text("Leipzig"),
        postal_code: text("04103"),
        country: text("DE"),
    };
    What::Event(Event::OrderPlaced(OrderPlaced {
        order_id: order_id(),
        customer: Customer { email: text("clara@example.org") },
        items: Vec::new(),
        shipping_address,
        payment: PaymentMethod { token: text("tok_ok") },
        total: amount(),
    }))
}

pub(crate) fn stock_reserved() -> Incoming {
    What::Event(Event::StockReserved(StockReserved { order_id: order_id() }))
}

pub(crate) fn shipment_voided() -> Incoming {
    What::Event(Event::ShipmentVoided(ShipmentVoided { order_id: order_id() }))
}

pub(crate) fn shipment_failed() -> Incoming {
    let reason = "address unknown".into();
    What::Event(Event::ShipmentFailed(ShipmentFailed { order_id: order_id(), reason }))
}

pub(crate) fn cancelled() -> Incoming {
    let reason = CancelReason::CustomerRequest;
    What::Event(Event::OrderCancelled(OrderCancelled { order_id: order_id(), reason }))
}

pub(crate) fn charge_captured() -> Incoming {
    let answer = ChargeAnswer::Captured { reference: "ch_1".into() };
    What::Outcome(order_id(), Outcome::Charge(answer))
}

pub(crate) fn charge_declined() -> Incoming {
    let answer = ChargeAnswer::Declined { reason: "card expired".into() };
    What::Outcome(order_id(), Outcome::Charge(answer))
}

pub(crate) fn refunded() -> Incoming {
    let answer = RefundAnswer::Refunded { reference: "re_1".into() };
    What::Outcome(order_id(), Outcome::Refund(answer))
}

pub(crate) fn refund_refused() -> Incoming {
    let answer = RefundAnswer::Refused { reason: "account closed".into() };
    What::Outcome(order_id(), Outcome::Refund(answer))
}

pub(crate) fn retry_refund() -> Incoming {
    What::Command(RetryRefund { order_id: order_id() })
}

/// The request to charge the amount of [`placed`].
pub(crate) fn charge() -> Effect {
    Effect::Charge(Charge { order_id: order_id(), amount: amount(), token: "tok_ok".into() })
}

/// The request to refund [`charge_captured`].
pub(crate) fn refund(attempt: i64) -> Effect {
    let charge = "ch_1".into();
    Effect::Refund(Refund { order_id: order_id(), amount: amount(), charge, attempt })
}

/// The idempotency key of a request.
pub(crate) fn key(effect: &Effect) -> EffectId {
    effect.id()
}

histories! {
    const STATES: &[State];
    fn history(State) -> Vec<Incoming>;

    HasAmount: [placed()];
    HasGo: [stock_reserved()];
    Charging: [placed(), stock_reserved()];
    ChargingUndo: [placed(), stock_reserved(), shipment_voided()];
    Captured: [placed(), stock_reserved(), charge_captured()];
    Declined: [placed(), stock_reserved(), charge_declined()];
    Refunding: [placed(), stock_reserved(), charge_captured(), shipment_failed()];
    Refunded: [placed(), stock_reserved(), charge_captured(), shipment_failed(), refunded()];
    Attention: [placed(), stock_reserved(), charge_captured(), shipment_failed(), refund_refused()];
    Voided: [placed(), shipment_voided()];
    Closed: [placed(), cancelled()];
}

/// A world whose rows were loaded but do not exist yet.
pub(crate) fn unknown() -> World {
    World { payments: Rows::absent([order_id()]) }
}

/// A world whose payment is in this state.
pub(crate) fn world_in(state: State) -> World {
    let mut world = unknown();
    for what in history(state) {
        apply(&mut world, what);
    }
    assert_eq!(payment(&world).map(|payment| payment.state), Some(state));
    world
}

/// A world for each state of the payment except these.
pub(crate) fn worlds_except(states: &[State]) -> impl Iterator<Item = World> {
    STATES.iter().filter(|state| !states.contains(state)).map(|state| world_in(*state))
}

/// The world in which the order is unknown, and one for each state.
pub(crate) fn every_world() -> impl Iterator<Item = World> {
    [unknown()].into_iter().chain(worlds_except(&[]))
}

pub(crate) fn payment(world: &World) -> Option<&Payment> {
    world.payments.get(&order_id())
}

/// Applies an input to the rows and returns what followed from it.
pub(crate) fn apply(world: &mut World, what: Incoming) -> Applied {
    let out = react::<PaymentService>(world, what);
    Applied {
        events: out.events().cloned().collect(),
        requests: out.effects().to_vec(),
        reply: out.answer().copied(),
    }
}

/// Plays a story that begins with an unknown order, and returns how it ends.
pub(crate) fn ending(story: impl IntoIterator<Item = Incoming>) -> Ending {
    let mut world = unknown();
    let mut followed = Applied::nothing();
    for what in story {
        let applied = apply(&mut world, what);
        followed.events.extend(applied.events);
        followed.requests.extend(applied.requests);
        followed.reply = applied.reply.or(followed.reply);
    }
    Ending { payment: payment(&world).cloned(), followed }
}
