//! The model finds bugs: each of these reactions has one bug, and a property must be broken by it.

use contracts::{Event, ShipmentVoided};
use engine::{Input, Participant, Reaction, What};
use inventory::InventoryService;
use model::{Freedom, Reactions, Scenario, counterexample, search};
use order::{Alarm, OrderService};
use payment::PaymentService;
use shipping::ShippingService;

/// A small scenario that has everything the mutants need.
const SCENARIO: Scenario = Scenario { freedoms: &[Freedom::Cancellations], ..Scenario::ONE_ORDER };

/// A small scenario with deadlines instead of cancellations.
const LATE: Scenario = Scenario { freedoms: &[Freedom::Deadlines], ..Scenario::ONE_ORDER };

fn broken(property: &'static str, reactions: &Reactions) -> String {
    broken_in(&SCENARIO, property, reactions)
}

/// Plays the reactions and returns the story of how this property is broken.
fn broken_in(scenario: &Scenario, property: &'static str, reactions: &Reactions) -> String {
    let story = counterexample(scenario, reactions, property, usize::MAX);
    let story = story.unwrap_or_else(|| panic!("not broken: {property}")).join("\n");
    println!("{property}:\n{story}");
    story
}

fn event<P: Participant<Contract = Event>>(input: &Input<P>) -> Option<&Event> {
    match &input.what {
        What::Event(event) => Some(event),
        _ => None,
    }
}

type WorldOf<P> = <P as Participant>::World;

#[test]
fn without_the_tombstone_stock_is_reserved_for_a_cancelled_order() {
    fn react(
        world: &mut WorldOf<InventoryService>,
        input: &Input<InventoryService>,
        out: &mut Reaction<InventoryService>,
    ) {
        let unknown = world.reservations.iter().next().is_none();
        if !(unknown && matches!(event(input), Some(Event::ShipmentVoided(_)))) {
            InventoryService::react(world, input, out);
        }
    }
    let story = broken(
        "1 at rest every order has ended, once",
        &Reactions { inventory: react, ..Reactions::default() },
    );
    assert!(story.contains("inventory hears ShipmentVoided"), "{story}");
    assert!(story.contains("has not ended"), "{story}");
}

#[test]
fn a_payment_that_is_never_closed_waits_for_ever() {
    fn react(
        world: &mut WorldOf<PaymentService>,
        input: &Input<PaymentService>,
        out: &mut Reaction<PaymentService>,
    ) {
        if !matches!(event(input), Some(Event::OrderCancelled(_))) {
            PaymentService::react(world, input, out);
        }
    }
    let reactions = Reactions { payment: react, ..Reactions::default() };
    let found = search(&Scenario { freedoms: &[], ..Scenario::NO_STOCK }, &reactions, 1);
    assert!(found.to_string().contains("payment is has_amount"), "{found}");
}

#[test]
fn a_shipment_that_is_never_closed_waits_for_ever() {
    fn react(
        world: &mut WorldOf<ShippingService>,
        input: &Input<ShippingService>,
        out: &mut Reaction<ShippingService>,
    ) {
        if !matches!(event(input), Some(Event::OrderCancelled(_))) {
            ShippingService::react(world, input, out);
        }
    }
    broken("at rest every row is final", &Reactions { shipping: react, ..Reactions::default() });
}

#[test]
fn a_parcel_that_is_stopped_too_late_is_found() {
    fn react(
        world: &mut WorldOf<ShippingService>,
        input: &Input<ShippingService>,
        out: &mut Reaction<ShippingService>,
    ) {
        let booking = world.shipments.iter().find(|row| row.state == shipping::State::Booking);
        let order = booking.map(|row| row.order_id);
        match (event(input), order) {
            (Some(Event::OrderCancellationRequested(_)), Some(order_id)) => {
                if let Some(shipment) = world.shipments.get_mut(&order_id) {
                    shipment.state = shipping::State::Voided;
                }
                out.emit(ShipmentVoided { order_id });
            }
            _ => ShippingService::react(world, input, out),
        }
    }
    let reactions = Reactions { shipping: react, ..Reactions::default() };
    let story = broken("never shipped and refunded", &reactions);
    assert!(story.contains("shipping goes from booking to voided"), "{story}");
}

#[test]
fn an_order_that_ends_before_its_money_is_settled_is_found() {
    fn react(
        world: &mut WorldOf<OrderService>,
        input: &Input<OrderService>,
        out: &mut Reaction<OrderService>,
    ) {
        if let Some(Event::StockReleased(released)) = event(input)
            && let Some(order) = world.orders.get_mut(&released.order_id)
        {
            order.money_settled = true;
        }
        OrderService::react(world, input, out);
    }
    broken(
        "an end is true when it is published",
        &Reactions { order: react, ..Reactions::default() },
    );
}

#[test]
fn an_order_that_cannot_complete_after_a_cancellation_request_never_ends() {
    fn react(
        world: &mut WorldOf<OrderService>,
        input: &Input<OrderService>,
        out: &mut Reaction<OrderService>,
    ) {
        let requested = world.orders.iter().any(|order| order.requested.is_some());
        if !(requested && matches!(event(input), Some(Event::ShipmentDispatched(_)))) {
            OrderService::react(world, input, out);
        }
    }
    let reactions = Reactions { order: react, ..Reactions::default() };
    broken("1 at rest every order has ended, once", &reactions);
    broken("every order ends", &reactions);
}

#[test]
fn a_payment_deadline_that_sets_no_first_deadline_is_found() {
    fn react(
        world: &mut WorldOf<OrderService>,
        input: &Input<OrderService>,
        out: &mut Reaction<OrderService>,
    ) {
        OrderService::react(world, input, out);
        if let What::Alarm(order, Alarm::PaymentDeadline) = input.what {
            out.clear_alarm(order, Alarm::FirstDeadline);
        }
    }
    let reactions = Reactions { order: react, ..Reactions::default() };
    let property = "an open order has one deadline, or needs attention";
    let story = broken_in(&LATE, property, &reactions);
    assert!(story.contains("@payment_deadline rings"), "{story}");
}

#[test]
fn a_charge_that_is_not_undone_is_found() {
    fn react(
        world: &mut WorldOf<PaymentService>,
        input: &Input<PaymentService>,
        out: &mut Reaction<PaymentService>,
    ) {
        let charging = world.payments.iter().any(|row| row.state == payment::State::Charging);
        if !(charging && matches!(event(input), Some(Event::ShipmentVoided(_)))) {
            PaymentService::react(world, input, out);
        }
    }
    broken(
        "1 at rest every order has ended, once",
        &Reactions { payment: react, ..Reactions::default() },
    );
}

#[test]
fn a_repeated_event_that_refunds_again_is_found() {
    fn react(
        world: &mut WorldOf<PaymentService>,
        input: &Input<PaymentService>,
        out: &mut Reaction<PaymentService>,
    ) {
        if let Some(Event::ShipmentVoided(voided)) = event(input)
            && let Some(payment) = world.payments.get_mut(&voided.order_id)
            && payment.state == payment::State::Refunding
        {
            payment.state = payment::State::Captured;
        }
        PaymentService::react(world, input, out);
    }
    broken("a repeated event does nothing", &Reactions { payment: react, ..Reactions::default() });
}

#[test]
fn stock_that_is_released_twice_is_found() {
    fn react(
        world: &mut WorldOf<InventoryService>,
        input: &Input<InventoryService>,
        out: &mut Reaction<InventoryService>,
    ) {
        let released: Vec<_> = world.reservations.iter().cloned().collect();
        InventoryService::react(world, input, out);
        let voided = matches!(event(input), Some(Event::ShipmentVoided(_)));
        for row in released.iter().filter(|row| voided && row.state != inventory::State::Shipped) {
            for item in &row.items.0 {
                if let Some(product) = world.products.get_mut(&item.sku) {
                    product.reserved -= item.quantity;
                }
            }
        }
    }
    broken("no stock is negative", &Reactions { inventory: react, ..Reactions::default() });
}
