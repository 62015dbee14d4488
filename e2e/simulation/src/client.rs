//! The customers and the shop's clerk: what they want, what they ask for, and what they were told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use clock::{Clock as _, Random as _, uuid_v7};
use contracts::{Address, Currency, Customer, Item, Money, OrderId, PaymentMethod, Sku, Trace};
use engine::{Answer, IdempotencyKey, Input, Origin, Participant, What, Work};
use inventory::{AddStock, InventoryService, PutProduct};
use order::{CancelOrder, OrderService, PlaceOrder};
use payment::{PaymentService, RetryRefund};
use uuid::Uuid;

use crate::{
    providers::BOUNCE,
    schedule::{Setting, TOKENS},
    stage::Stage,
};

const SKUS: [&str; 2] = ["mug", "hat"];

/// See the module.
pub(crate) struct Client {
    stage: Arc<Stage>,
    orders: Vec<Wish<Basket, OrderId>>,
    deliveries: Vec<Wish<AddStock, ()>>,
    /// Which wish a command was for.
    asked: BTreeMap<Uuid, usize>,
}

/// Something that is asked for until it is answered.
struct Wish<T, A> {
    name: String,
    body: T,
    /// Answers that differ are answers to different requests.
    answers: Vec<A>,
    /// It cannot be had.
    refused: bool,
    /// Requests that have no answer.
    under_way: BTreeSet<Uuid>,
}

struct Basket {
    items: Vec<Item>,
    email: String,
    postal_code: String,
    token: String,
}

impl<T, A> Wish<T, A> {
    fn new(name: String, body: T) -> Self {
        let under_way = BTreeSet::new();
        Self { name, body, answers: Vec::new(), refused: false, under_way }
    }

    /// What has no answer by now will have none: who was refused and had asked more than once does not
    /// know, and is to ask again.
    fn lose_patience(&mut self) {
        if !std::mem::take(&mut self.under_way).is_empty() {
            self.refused = false;
        }
    }

    fn is_open(&self) -> bool {
        self.answers.is_empty() && !self.refused
    }

    fn key(&self) -> IdempotencyKey {
        IdempotencyKey { key: self.name.clone(), hash: [0; 32], sent: [0; 32] }
    }
}

impl Client {
    pub(crate) fn new(stage: Arc<Stage>) -> Self {
        Self { stage, orders: Vec::new(), deliveries: Vec::new(), asked: BTreeMap::new() }
    }

    fn command<P: Participant>(
        &self,
        name: &str,
        command: P::Command,
        key: Option<IdempotencyKey>,
    ) -> Work<P> {
        let cause = uuid_v7(&*self.stage, &*self.stage);
        self.stage.call(cause, format!("command {name}"));
        let (at, what) = (self.stage.now(), What::Command(command));
        let input = Input { cause, at, trace: Trace::default(), what };
        Work { input, origin: Origin::Command(key) }
    }

    /// A new order; what it is, and the request.
    pub(crate) fn place(&mut self, setting: &Setting) -> (String, Work<OrderService>) {
        let dice = &self.stage.dice;
        let most = usize::try_from(setting.products).unwrap_or(1).min(SKUS.len());
        let (first, lines) = (dice.index(most), 1 + dice.index(most));
        let items = (0..lines).map(|nth| Item {
            sku: sku(SKUS[(first + nth) % most]),
            quantity: 1 + i64::try_from(dice.index(2)).unwrap_or(0),
        });
        let awkward = dice.below(100) < setting.awkward;
        let far_away = awkward && dice.below(100) < setting.far_away;
        let token = if awkward { setting.token } else { 0 };
        let basket = Basket {
            items: items.collect(),
            email: format!("ada@{}", if dice.index(8) == 0 { BOUNCE } else { "example.com" }),
            postal_code: if far_away { "00000" } else { "1010" }.to_owned(),
            token: TOKENS[token].to_owned(),
        };
        let items = basket.items.iter().map(|item| format!("{} {}", item.quantity, item.sku));
        let items = items.collect::<Vec<_>>().join(" and ");
        let Basket { token, postal_code, email, .. } = &basket;
        let told = format!("{items} with {token} to {postal_code} for {email}");
        let name = letter(self.orders.len());
        let told = format!("places {name}: {told}");
        self.orders.push(Wish::new(name, basket));
        (told, self.ask_for_order(self.orders.len() - 1))
    }

    fn ask_for_order(&mut self, nth: usize) -> Work<OrderService> {
        let order_id = OrderId::from(uuid_v7(&*self.stage, &*self.stage));
        let wish = &self.orders[nth];
        self.stage.call(order_id.uuid(), wish.name.clone());
        let Basket { items, email, postal_code, token } = &wish.body;
        let text = |text: &str| text.to_owned();
        let place = PlaceOrder {
            order_id,
            customer: Customer { email: email.clone() },
            items: items.clone(),
            shipping_address: Address {
                name: text("Ada"),
                street: text("Ring 1"),
                city: text("Wien"),
                postal_code: postal_code.clone(),
                country: text("AT"),
            },
            payment: PaymentMethod { token: token.clone() },
        };
        let command = order::Command::Place(Box::new(place));
        let work = self.command(&format!("place {}", wish.name), command, Some(wish.key()));
        self.asked.insert(work.input.cause, nth);
        self.orders[nth].under_way.insert(work.input.cause);
        work
    }

    /// All requests under way have come to nothing.
    pub(crate) fn lose_patience(&mut self) {
        self.orders.iter_mut().for_each(Wish::lose_patience);
        self.deliveries.iter_mut().for_each(Wish::lose_patience);
    }

    /// Asks once more for what has no answer.
    pub(crate) fn repeat_orders(&mut self) -> Vec<(String, Work<OrderService>)> {
        let open = |nth: &usize| self.orders[*nth].is_open();
        let open: Vec<usize> = (0..self.orders.len()).filter(open).collect();
        let again = |nth: usize| (self.orders[nth].name.clone(), nth);
        let open: Vec<_> = open.into_iter().map(again).collect();
        let asked = open.into_iter();
        asked
            .map(|(name, nth)| (format!("asks again for {name}"), self.ask_for_order(nth)))
            .collect()
    }

    /// Cancels one of the accepted orders.
    pub(crate) fn cancel(&self) -> Option<(String, Work<OrderService>)> {
        let accepted = self.accepted();
        let order_id = *accepted.get(self.stage.dice.index(accepted.len()))?;
        let name = format!("cancel {}", self.stage.name(order_id.uuid()));
        let command = order::Command::Cancel(CancelOrder { order_id });
        Some((format!("asks to {name}"), self.command(&name, command, None)))
    }

    /// The orders that were answered with 202.
    pub(crate) fn accepted(&self) -> Vec<OrderId> {
        self.orders.iter().flat_map(|wish| wish.answers.iter().copied()).collect()
    }

    /// A product with its price.
    pub(crate) fn list(&self, nth: usize, price: i64) -> (String, Work<InventoryService>) {
        let sku = sku(SKUS[nth % SKUS.len()]);
        let name = format!("list {sku} at {price}");
        let price = Money { amount_minor: price, currency: Currency::EUR };
        let product = PutProduct { name: sku.to_string(), sku, price };
        let command = inventory::Command::PutProduct(product);
        (format!("asks to {name}"), self.command(&name, command, None))
    }

    /// Pieces of a product come in.
    pub(crate) fn restock(
        &mut self,
        nth: usize,
        quantity: i64,
    ) -> (String, Work<InventoryService>) {
        let sku = sku(SKUS[nth % SKUS.len()]);
        let name = format!("delivery {}: {quantity} {sku}", self.deliveries.len() + 1);
        let body = AddStock { sku, quantity };
        let told = format!("brings {name}");
        self.deliveries.push(Wish::new(name, body));
        (told, self.ask_for_delivery(self.deliveries.len() - 1))
    }

    fn ask_for_delivery(&mut self, nth: usize) -> Work<InventoryService> {
        let wish = &self.deliveries[nth];
        let command = inventory::Command::AddStock(wish.body.clone());
        let work = self.command(&wish.name, command, Some(wish.key()));
        self.asked.insert(work.input.cause, nth);
        self.deliveries[nth].under_way.insert(work.input.cause);
        work
    }

    /// Asks once more for what has no answer.
    pub(crate) fn repeat_deliveries(&mut self) -> Vec<(String, Work<InventoryService>)> {
        let open = |nth: &usize| self.deliveries[*nth].is_open();
        let open: Vec<usize> = (0..self.deliveries.len()).filter(open).collect();
        let again = |nth: usize| (self.deliveries[nth].name.clone(), nth);
        let open: Vec<_> = open.into_iter().map(again).collect();
        let asked = open.into_iter();
        asked
            .map(|(name, nth)| (format!("asks again for {name}"), self.ask_for_delivery(nth)))
            .collect()
    }

    /// An operator wants a refund tried again.
    pub(crate) fn retry_refund(&self, order_id: OrderId) -> (String, Work<PaymentService>) {
        let name = format!("retry the refund of {}", self.stage.name(order_id.uuid()));
        let work = self.command(&name, RetryRefund { order_id }, None);
        (format!("asks to {name}"), work)
    }

    /// Hears what became of a command.
    pub(crate) fn hear_order(&mut self, cause: Uuid, answer: Answer<OrderService>) {
        let Some(wish) = self.asked.get(&cause).and_then(|nth| self.orders.get_mut(*nth)) else {
            return;
        };
        if answer.is_ok() {
            wish.under_way.remove(&cause);
        }
        match answer {
            Ok(order::Reply::Order(view)) => {
                if !wish.answers.contains(&view.order.id) {
                    wish.answers.push(view.order.id);
                }
            }
            Ok(_) => wish.refused = true,
            // Whoever has no answer asks again.
            Err(_) => {}
        }
    }

    /// Hears what became of a command.
    pub(crate) fn hear_inventory(&mut self, cause: Uuid, answer: Answer<InventoryService>) {
        let wish = self.asked.get(&cause).and_then(|nth| self.deliveries.get_mut(*nth));
        if let (Some(wish), Ok(reply)) = (wish, answer) {
            wish.under_way.remove(&cause);
            match reply {
                inventory::Reply::Product(..) if wish.answers.is_empty() => wish.answers.push(()),
                inventory::Reply::Product(..) => {}
                _ => wish.refused = true,
            }
        }
    }

    /// How many pieces of a product it was told are on the shelf.
    pub(crate) fn delivered(&self, sku: &Sku) -> i64 {
        let told = self.deliveries.iter().filter(|wish| !wish.answers.is_empty());
        told.filter(|wish| wish.body.sku == *sku).map(|wish| wish.body.quantity).sum()
    }

    /// Orders that were accepted twice under one key.
    pub(crate) fn accepted_twice(&self) -> Option<&str> {
        let twice = self.orders.iter().find(|wish| wish.answers.len() > 1);
        twice.map(|wish| wish.name.as_str())
    }
}

fn sku(text: &str) -> Sku {
    match text.parse() {
        Ok(sku) => sku,
        Err(_) => unreachable!("the SKUs of a simulation are legal"),
    }
}

/// A, B, … Z, A1, B1, …
fn letter(nth: usize) -> String {
    let letter = char::from(b'A' + u8::try_from(nth % 26).unwrap_or(0));
    if nth < 26 { letter.to_string() } else { format!("{letter}{}", nth / 26) }
}
