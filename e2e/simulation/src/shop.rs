//! The people of the simulation: customers, the shop's clerk and operators. The shop remembers what they requested
//! and which answers they got.

mod habits;

use std::time::Duration;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use audit::{PaymentRow, PaymentState, Row};
use clock::{Random as _, SeededRandom, uuid_v7};
use contracts::{Address, Currency, Customer, Item, Money, OrderId, PaymentMethod, Sku};
use engine::{Participant as _, Work};
use inventory::{AddStock, InventoryService, PutProduct};
use order::{CancelOrder, OrderService, PlaceOrder};
use payment::{PaymentService, RetryRefund};
use quintet_test::simulation::{Actions, Clients, Profile, Weighted, Wish, Workload};
use saga::BOUNCE;
use serde_json::Value;
use service::Service;

use habits::{Habits, TOKENS};

const SKUS: [&str; 2] = ["mug", "hat"];

/// The names of the actions.
const PLACE: &str = "place";
const REPEAT: &str = "repeat";
const CANCEL: &str = "cancel";
const REPRICE: &str = "reprice";
const RESTOCK: &str = "restock";
const RETRY_REFUND: &str = "retry refund";

/// See the module.
pub struct Shop {
    habits: Habits,
    orders: Vec<Wish<Basket, OrderId>>,
    deliveries: Vec<Wish<AddStock, ()>>,
}

struct Basket {
    items: Vec<Item>,
    email: String,
    postal_code: String,
    token: String,
}

/// A request, and its line in the story.
struct Request<S: Service> {
    line: String,
    work: Work<S>,
}

#[async_trait]
impl Workload for Shop {
    fn actions(&self) -> Actions {
        let Habits { cancel, operator, .. } = self.habits;
        let others =
            [(1, REPEAT), (cancel, CANCEL), (1, REPRICE), (1, RESTOCK), (operator, RETRY_REFUND)];
        let others = others.map(|(weight, name)| Weighted { weight, name });
        Actions { opening: PLACE, openings: 6, others: others.into() }
    }

    fn shape(&self, profile: &mut Profile) {
        if self.habits.unwilling {
            profile.setting.claim = Duration::from_secs(1);
            (profile.setting.held_up, profile.setting.eager) = (60, 80);
            profile.pace.fill(4);
            (profile.interruptions, profile.long_waits) = (1, 0);
        }
    }

    /// Lists the products and adds stock.
    async fn begin(&mut self, clients: &mut Clients<'_>) -> Result<()> {
        for nth in 0..self.habits.products {
            clients.send(list(clients, nth, 1298).work).await?;
            clients.send(self.restock(clients, nth, self.habits.pieces).work).await?;
        }
        clients.apply_batches(InventoryService::NAME).await?;
        clients.relay(InventoryService::NAME).await?;
        clients.apply_batches(OrderService::NAME).await
    }

    async fn act(
        &mut self,
        action: &'static str,
        clients: &mut Clients<'_>,
    ) -> Result<Option<String>> {
        let dice = clients.environment().dice();
        let nth = dice.index(self.habits.products);
        let few = 1 + i64::try_from(dice.index(4)).unwrap_or(0);
        match action {
            PLACE => {
                let placed = self.place(clients);
                send(clients, placed).await.map(Some)
            }
            CANCEL => {
                let Some(cancelled) = self.cancel(clients) else { return Ok(None) };
                send(clients, cancelled).await.map(Some)
            }
            REPRICE => {
                let listed = list(clients, nth, 1000 + few);
                send(clients, listed).await.map(Some)
            }
            RESTOCK => {
                let restocked = self.restock(clients, nth, few);
                send(clients, restocked).await.map(Some)
            }
            RETRY_REFUND => retry_refunds(clients).await,
            _ => self.repeat(clients).await,
        }
    }

    fn hear(&mut self, clients: &mut Clients<'_>) -> Result<()> {
        for heard in clients.hear::<OrderService>()? {
            let wish = self.orders.iter_mut().find(|wish| wish.was_asked_by(heard.command));
            match (wish, heard.answer) {
                (Some(wish), Ok(order::Reply::Order(order))) => {
                    wish.granted(heard.command, order.order_id);
                }
                (Some(wish), Ok(order::Reply::Repeat(response))) => {
                    let body: Value = response.read().context("a response is JSON")?;
                    wish.granted(heard.command, serde_json::from_value(body["id"].clone())?);
                }
                (Some(wish), Ok(_)) => wish.refused(heard.command),
                // A customer without an answer sends the request again.
                (_, Err(_)) | (None, _) => {}
            }
        }
        for heard in clients.hear::<InventoryService>()? {
            let wish = self.deliveries.iter_mut().find(|wish| wish.was_asked_by(heard.command));
            match (wish, heard.answer) {
                (Some(wish), Ok(inventory::Reply::Product(..) | inventory::Reply::Repeat(_))) => {
                    wish.granted(heard.command, ());
                }
                (Some(wish), Ok(_)) => wish.refused(heard.command),
                (_, Err(_)) | (None, _) => {}
            }
        }
        Ok(())
    }

    async fn insist(&mut self, clients: &mut Clients<'_>) -> Result<Vec<String>> {
        self.orders.iter_mut().for_each(Wish::lose_patience);
        self.deliveries.iter_mut().for_each(Wish::lose_patience);
        let lines = [self.repeat(clients).await?, retry_refunds(clients).await?];
        Ok(lines.into_iter().flatten().collect())
    }
}

impl Shop {
    /// Draws the shop of a run.
    pub(crate) fn drawn(random: &SeededRandom) -> Self {
        Self { habits: Habits::drawn(random), orders: Vec::new(), deliveries: Vec::new() }
    }

    /// A customer places a new order.
    fn place(&mut self, clients: &Clients<'_>) -> Request<OrderService> {
        let (dice, habits) = (clients.environment().dice(), self.habits);
        let most = habits.products.min(SKUS.len());
        let (first, lines) = (dice.index(most), 1 + dice.index(most));
        let items = (0..lines).map(|nth| Item {
            sku: sku(SKUS[(first + nth) % most]),
            quantity: 1 + i64::try_from(dice.index(2)).unwrap_or(0),
        });
        let awkward = dice.below(100) < habits.awkward;
        let far_away = awkward && dice.below(100) < habits.far_away;
        let token = if awkward { habits.token } else { 0 };
        let basket = Basket {
            items: items.collect(),
            email: format!("ada@{}", if dice.index(8) == 0 { BOUNCE } else { "example.com" }),
            postal_code: if far_away { "00000" } else { "1010" }.to_owned(),
            token: TOKENS[token].to_owned(),
        };
        let items = basket.items.iter().map(|item| format!("{} {}", item.quantity, item.sku));
        let items = items.collect::<Vec<_>>().join(" and ");
        let Basket { token, postal_code, email, .. } = &basket;
        let name = letter(self.orders.len());
        let line = format!("places {name}: {items} with {token} to {postal_code} for {email}");
        let mut wish = Wish::new(name, basket);
        let work = ask_for_order(&mut wish, clients);
        self.orders.push(wish);
        Request { line, work }
    }

    /// A customer cancels one of the accepted orders.
    fn cancel(&self, clients: &Clients<'_>) -> Option<Request<OrderService>> {
        let (accepted, environment) = (self.accepted(), clients.environment());
        let order_id = *accepted.get(environment.dice().index(accepted.len()))?;
        let name = format!("cancel {}", environment.name(order_id.uuid()));
        let command = order::Command::Cancel(CancelOrder { order_id });
        let work = clients.command(&name, command, None);
        Some(Request { line: format!("asks to {name}"), work })
    }

    /// The clerk adds stock of a product.
    fn restock(
        &mut self,
        clients: &Clients<'_>,
        nth: usize,
        quantity: i64,
    ) -> Request<InventoryService> {
        let sku = sku(SKUS[nth % SKUS.len()]);
        let name = format!("delivery {}: {quantity} {sku}", self.deliveries.len() + 1);
        let line = format!("brings {name}");
        let mut wish = Wish::new(name, AddStock { sku, quantity });
        let work = ask_for_delivery(&mut wish, clients);
        self.deliveries.push(wish);
        Request { line, work }
    }

    /// Each customer, and the clerk, sends all requests without an answer again.
    async fn repeat(&mut self, clients: &mut Clients<'_>) -> Result<Option<String>> {
        let again = |name: &str| format!("asks again for {name}");
        let open = self.orders.iter_mut().filter(|wish| wish.is_open());
        let orders = open
            .map(|wish| Request { line: again(&wish.name), work: ask_for_order(wish, clients) });
        let orders: Vec<_> = orders.collect();
        let mut lines = Vec::new();
        for request in orders {
            lines.push(send(clients, request).await?);
        }
        let open = self.deliveries.iter_mut().filter(|wish| wish.is_open());
        let deliveries = open
            .map(|wish| Request { line: again(&wish.name), work: ask_for_delivery(wish, clients) });
        let deliveries: Vec<_> = deliveries.collect();
        for request in deliveries {
            lines.push(send(clients, request).await?);
        }
        Ok((!lines.is_empty()).then(|| lines.join(", ")))
    }

    /// The orders that were answered with 202.
    pub(crate) fn accepted(&self) -> Vec<OrderId> {
        self.orders.iter().flat_map(|wish| wish.answers().iter().copied()).collect()
    }

    /// How many pieces of a product were added, as far as the clerk got answers.
    pub(crate) fn delivered(&self, sku: &Sku) -> i64 {
        let answered = self.deliveries.iter().filter(|wish| !wish.answers().is_empty());
        answered.filter(|wish| wish.body.sku == *sku).map(|wish| wish.body.quantity).sum()
    }

    /// An order that was accepted twice under one key.
    pub(crate) fn accepted_twice(&self) -> Option<&str> {
        let twice = self.orders.iter().find(|wish| wish.answers().len() > 1);
        twice.map(|wish| wish.name.as_str())
    }
}

fn ask_for_order(wish: &mut Wish<Basket, OrderId>, clients: &Clients<'_>) -> Work<OrderService> {
    let environment = clients.environment();
    let order_id = OrderId::from(uuid_v7(environment, environment));
    environment.call(order_id.uuid(), wish.name.clone());
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
    let work = clients.command(&format!("place {}", wish.name), command, Some(wish.key()));
    wish.asked(work.input.cause);
    work
}

fn ask_for_delivery(
    wish: &mut Wish<AddStock, ()>,
    clients: &Clients<'_>,
) -> Work<InventoryService> {
    let command = inventory::Command::AddStock(wish.body.clone());
    let work = clients.command(&wish.name, command, Some(wish.key()));
    wish.asked(work.input.cause);
    work
}

/// The clerk lists a product at a price.
fn list(clients: &Clients<'_>, nth: usize, price: i64) -> Request<InventoryService> {
    let sku = sku(SKUS[nth % SKUS.len()]);
    let name = format!("list {sku} at {price}");
    let price = Money { amount_minor: price, currency: Currency::EUR };
    let product = PutProduct { name: sku.to_string(), sku, price };
    let work = clients.command(&name, inventory::Command::PutProduct(product), None);
    Request { line: format!("asks to {name}"), work }
}

/// An operator requests all refused refunds again.
async fn retry_refunds(clients: &mut Clients<'_>) -> Result<Option<String>> {
    let mut lines = Vec::new();
    for row in clients.rows(PaymentService::NAME).await? {
        let Row::Payment(PaymentRow { state: PaymentState::Attention, order_id, .. }) =
            serde_json::from_value(row)?
        else {
            continue;
        };
        let name = format!("retry the refund of {}", clients.environment().name(order_id.uuid()));
        let work = clients.command::<PaymentService>(&name, RetryRefund { order_id }, None);
        lines.push(send(clients, Request { line: format!("asks to {name}"), work }).await?);
    }
    Ok((!lines.is_empty()).then(|| lines.join(", ")))
}

/// Sends a request and returns its line in the story.
async fn send<S: Service + Clone>(
    clients: &mut Clients<'_>,
    request: Request<S>,
) -> Result<String> {
    clients.send(request.work).await?;
    Ok(request.line)
}

fn sku(text: &str) -> Sku {
    match text.parse() {
        Ok(sku) => sku,
        Err(_) => unreachable!("the SKUs of a simulation are valid"),
    }
}

/// A, B, … Z, A1, B1, …
fn letter(nth: usize) -> String {
    let letter = char::from(b'A' + u8::try_from(nth % 26).unwrap_or(0));
    if nth < 26 { letter.to_string() } else { format!("{letter}{}", nth / 26) }
}
