//! PlaceOrder → OrderPlaced
//!
//! Fixes the prices and sets the payment deadline.

use contracts::{Address, Customer, Item, Money, OrderId, OrderPlaced, PaymentMethod, Sku};
use quintet::{Input, store::Json};
use uuid::Uuid;

use crate::{
    Alarm, Line, Order, OrderService, Out, Policy, Product, Reply, Stage, World, customer_id,
};

/// A request to place an order.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceOrder {
    /// The id that the order will have. The caller draws it, because a reaction has no randomness.
    pub order_id: OrderId,
    /// The customer.
    pub customer: Customer,
    /// What is ordered.
    pub items: Vec<Item>,
    /// Where it is shipped to.
    pub shipping_address: Address,
    /// How it is paid.
    pub payment: PaymentMethod,
}

/// Why an order cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// These of its lines cannot be taken.
    Lines(Vec<WrongLine>),
    /// The customer has the most open orders that are allowed.
    TooManyOpen {
        /// The limit.
        most: i64,
    },
}

/// Why a line of an order cannot be taken. `line` counts from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongLine {
    /// The price list has no such product.
    UnknownSku {
        /// The number of the line.
        line: usize,
        /// The unknown SKU.
        sku: Sku,
    },
    /// The product's price is in another currency than that of the lines before.
    MixedCurrencies {
        /// The number of the line.
        line: usize,
    },
    /// The total exceeds what an amount of money can hold.
    TooExpensive {
        /// The number of the line at which it does.
        line: usize,
    },
}

impl PlaceOrder {
    /// The customer whose open orders would include it, if open orders are counted.
    pub(crate) fn counted(&self, policy: Policy) -> Option<Uuid> {
        (policy.open_orders > 0).then(|| customer_id(&self.customer.email))
    }
}

pub(crate) fn react(
    world: &mut World,
    command: &PlaceOrder,
    input: &Input<OrderService>,
    out: &mut Out,
) {
    let PlaceOrder { order_id, customer, items, shipping_address, payment } = command.clone();
    let (lines, total) = match priced(world, &items) {
        Ok(priced) => priced,
        Err(wrong) => return out.reply(Reply::Refused(Refusal::Lines(wrong))),
    };
    let counted = command.counted(world.policy);
    if counted.is_some_and(|customer| !world.opened(customer)) {
        let most = world.policy.open_orders;
        return out.reply(Reply::Refused(Refusal::TooManyOpen { most }));
    }
    let mut order = Order {
        order_id,
        stage: Stage::Placed,
        requested: None,
        cause: None,
        stock_settled: false,
        money_settled: false,
        ended: None,
        needs_attention: false,
        timeline: Json(Vec::new()),
        customer: counted,
        total_minor: total.amount_minor,
        currency: total.currency,
        items: Json(lines),
        email: Some(customer.email.clone()),
        address: Some(Json(shipping_address.clone())),
        trace_id: None,
        trace_span: None,
        placed_at: input.at,
    };
    order.placed_in(&input.trace);
    world.orders.put(order);
    world.say(OrderPlaced { order_id, customer, items, shipping_address, payment, total }, out);
    // An order has one deadline at a time: the payment deadline sets the first deadline when it fires. If the first one
    // is due no later, the payment deadline would add nothing, because both request the cancellation.
    let Policy { paid, first, .. } = world.policy;
    if paid < first {
        out.set_alarm(order_id, Alarm::PaymentDeadline, paid);
    } else {
        out.set_alarm(order_id, Alarm::FirstDeadline, first);
    }
    if let Some(order) = world.orders.get(&order_id) {
        out.reply(Reply::Order(Box::new(order.clone())));
    }
}

/// The lines at current prices and their total, or all lines that cannot be taken.
fn priced(world: &World, items: &[Item]) -> Result<(Vec<Line>, Money), Vec<WrongLine>> {
    let (mut lines, mut wrong) = (Vec::with_capacity(items.len()), Vec::new());
    let mut total: Option<Money> = None;
    for (line, item) in items.iter().enumerate() {
        let (sku, quantity) = (item.sku.clone(), item.quantity);
        let Some(unit_price) = world.products.get(&sku).map(Product::price) else {
            wrong.push(WrongLine::UnknownSku { line, sku });
            continue;
        };
        if total.is_some_and(|total| total.currency != unit_price.currency) {
            wrong.push(WrongLine::MixedCurrencies { line });
            continue;
        }
        let price = unit_price.times(quantity);
        match price.and_then(|price| total.map_or(Some(price), |total| total.checked_add(price))) {
            Some(sum) => total = Some(sum),
            None => wrong.push(WrongLine::TooExpensive { line }),
        }
        lines.push(Line { sku, quantity, unit_price });
    }
    let nothing = Money { amount_minor: 0, currency: contracts::Currency::EUR };
    if wrong.is_empty() { Ok((lines, total.unwrap_or(nothing))) } else { Err(wrong) }
}
