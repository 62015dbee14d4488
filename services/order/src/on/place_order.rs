//! PlaceOrder → OrderPlaced
//!
//! Fixes the prices, and sets the deadline of the payment.

use contracts::{Address, Customer, Item, Money, OrderId, OrderPlaced, PaymentMethod, Sku};
use quintet::{Input, store::Json};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Alarm, Line, Order, OrderService, Out, Policy, Product, Reply, Stage, World, customer_id,
};

/// An order to be taken.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceOrder {
    /// Its id to be.
    pub order_id: OrderId,
    /// Who orders.
    pub customer: Customer,
    /// What.
    pub items: Vec<Item>,
    /// Where it goes.
    pub shipping_address: Address,
    /// What pays.
    pub payment: PaymentMethod,
}

/// Why an order cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// These of its lines cannot be taken.
    Lines(Vec<WrongLine>),
    /// The customer has as many open orders as a customer may have.
    TooManyOpen {
        /// So many.
        most: i64,
    },
}

/// Why a line of an order cannot be taken. `line` counts from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WrongLine {
    /// The price list has no such product.
    UnknownSku {
        /// Where it stands.
        line: usize,
        /// What it is.
        sku: Sku,
    },
    /// The product costs another currency than those before it.
    MixedCurrencies {
        /// Where it stands.
        line: usize,
    },
    /// The sum is more than money can be.
    TooExpensive {
        /// Where it became too much.
        line: usize,
    },
}

impl PlaceOrder {
    /// The customer among whose open orders it would count, if these are counted.
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
    // The first deadline follows that of the payment, unless it comes sooner: then both request the same.
    let Policy { paid, first, .. } = world.policy;
    if paid < first {
        out.set_alarm(order_id, Alarm::PaymentDeadline, paid);
    } else {
        out.set_alarm(order_id, Alarm::FirstDeadline, first);
    }
    if let Some(order) = world.orders.get(&order_id) {
        out.reply(Reply::Order(Box::new(order.into())));
    }
}

/// The lines at today's prices, and their sum; or every line that cannot be taken.
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
