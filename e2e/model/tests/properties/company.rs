//! Five services, and a network that goes by a list of choices.

use std::{sync::Arc, time::Duration};

use audit::{RefundStatus, Snapshot};
use choreography::ORDER;
use contracts::OrderId;
use event::{Contract as _, Envelope, derived};
use inventory::InventoryService;
use model::Entry;
use notification::NotificationService;
use order::{OrderService, Policy};
use payment::PaymentService;
use shipping::ShippingService;
use store::Db;
use testkit::Database;
use uuid::Uuid;

use crate::seat::{Asked, Seat, SeatOf, Told};

const ORDERS: usize = 0;
const INVENTORY: usize = 1;
const PAYMENT: usize = 2;

/// Databases for five services, kept from case to case.
pub struct House {
    databases: [(Database, Db); 5],
}

/// What happens, and how it is chosen.
#[derive(Clone, Debug)]
pub struct Plan {
    pub orders: usize,
    pub stock: usize,
    pub choices: Vec<u16>,
}

/// Each service's batches, in the order in which it took them.
pub type History = [Vec<Vec<Told>>; 5];

/// Five services at work.
pub struct Company {
    seats: [Box<dyn Seat>; 5],
    orders: Vec<OrderId>,
    /// Events under way, to whom.
    flying: Vec<(usize, Arc<Envelope<contracts::Event>>)>,
    asked: [Vec<Asked>; 5],
    alarms: Vec<(OrderId, String)>,
    ledger: Vec<Entry>,
    /// Refunds that were refused and wait for an operator.
    refused: Vec<OrderId>,
    wishes: u128,
    choices: std::vec::IntoIter<u16>,
    pub history: History,
}

impl House {
    pub async fn new(database: impl AsyncFn() -> Database) -> Self {
        let [order, inventory, payment, shipping, notification] = [
            database().await,
            database().await,
            database().await,
            database().await,
            database().await,
        ];
        let dbs = (
            SeatOf::<OrderService>::migrated(&order).await,
            SeatOf::<InventoryService>::migrated(&inventory).await,
            SeatOf::<PaymentService>::migrated(&payment).await,
            SeatOf::<ShippingService>::migrated(&shipping).await,
            SeatOf::<NotificationService>::migrated(&notification).await,
        );
        let databases = [
            (order, dbs.0),
            (inventory, dbs.1),
            (payment, dbs.2),
            (shipping, dbs.3),
            (notification, dbs.4),
        ];
        Self { databases }
    }

    /// Five services of which none knows anything. Deadlines may pass at once.
    pub async fn seats(&self) -> [Box<dyn Seat>; 5] {
        let policy = Policy {
            paid: Duration::ZERO,
            first: Duration::ZERO,
            second: Duration::ZERO,
            ..Policy::default()
        };
        let order = OrderService { policy, ..OrderService::default() };
        let db = |nth: usize| self.databases[nth].1.clone();
        [
            Box::new(SeatOf::fresh(order, db(0)).await),
            Box::new(SeatOf::fresh(InventoryService, db(1)).await),
            Box::new(SeatOf::fresh(PaymentService, db(2)).await),
            Box::new(SeatOf::fresh(ShippingService, db(3)).await),
            Box::new(SeatOf::fresh(NotificationService, db(4)).await),
        ]
    }
}

impl Company {
    /// Plays the plan until nothing is under way any more.
    pub async fn play(house: &House, plan: Plan) -> Self {
        let order = |nth: usize| Uuid::from_u128(ORDER.as_u128() + nth as u128).into();
        let mut company = Self {
            seats: house.seats().await,
            orders: (0..plan.orders).map(order).collect(),
            flying: Vec::new(),
            asked: Default::default(),
            alarms: Vec::new(),
            ledger: Vec::new(),
            refused: Vec::new(),
            wishes: 0,
            choices: plan.choices.into_iter(),
            history: History::default(),
        };
        company.open(plan.stock).await;
        while let Some((seat, batch)) = company.next() {
            company.turn(seat, batch).await;
        }
        company
    }

    /// The product is listed, and the orders are placed.
    async fn open(&mut self, stock: usize) {
        let first = self.orders[0];
        let list = (0..=stock).map(|nth| self.command(first, nth.min(1))).collect();
        self.turn(INVENTORY, list).await;
        let prices = self.flying.drain(..).map(|(_, envelope)| Told::Event(envelope)).collect();
        self.turn(ORDERS, prices).await;
        let orders = self.orders.clone();
        let placed = orders.into_iter().map(|order| self.command(order, 0)).collect();
        self.turn(ORDERS, placed).await;
    }

    fn command(&mut self, order: OrderId, nth: usize) -> Told {
        self.wishes += 1;
        let cause = derived(order.into(), Uuid::from_u128(self.wishes), "command", 0);
        Told::Command { cause, order, nth }
    }

    async fn turn(&mut self, seat: usize, batch: Vec<Told>) {
        self.seats[seat].turn(&batch).await;
        self.history[seat].push(batch);
        for envelope in self.seats[seat].said().await {
            let envelope = Arc::new(envelope);
            for (nth, other) in self.seats.iter().enumerate() {
                if other.hears(envelope.event.event_type()) {
                    self.flying.push((nth, Arc::clone(&envelope)));
                }
            }
        }
        self.asked[seat] = self.seats[seat].asked().await;
        if seat == ORDERS {
            self.alarms = self.seats[seat].alarms().await;
        }
    }

    fn choose(&mut self, of: usize) -> usize {
        self.choices.next().map_or(0, |choice| usize::from(choice) % of)
    }

    /// What comes next, to whom: something that is under way, and perhaps more of what is under way to
    /// the same service; now and then something that it took before.
    fn next(&mut self) -> Option<(usize, Vec<Told>)> {
        let (seat, first) = self.one(None)?;
        let mut batch = vec![first];
        for _ in 0..self.choose(4) {
            batch.extend(self.one(Some(seat)).map(|(_, told)| told));
        }
        let taken: Vec<Told> = self.history[seat].iter().flatten().chain(&batch).cloned().collect();
        if self.choose(3) == 1 {
            batch.push(taken[self.choose(taken.len())].clone());
        }
        Some((seat, batch))
    }

    fn one(&mut self, only: Option<usize>) -> Option<(usize, Told)> {
        let wanted = |seat: usize| only.is_none_or(|only| only == seat);
        let mut options = Vec::new();
        let flying = self.flying.iter().enumerate().filter(|(_, (seat, _))| wanted(*seat));
        options.extend(flying.map(|(nth, _)| Next::Fly(nth)));
        for seat in (0..self.asked.len()).filter(|seat| wanted(*seat)) {
            options.extend((0..self.asked[seat].len()).map(|nth| Next::Answer(seat, nth)));
        }
        if wanted(PAYMENT) {
            options.extend((0..self.refused.len()).map(Next::Retry));
        }
        if self.choices.len() > 0 && wanted(ORDERS) {
            options.extend(self.orders.iter().map(|order| Next::Cancel(*order)));
            options.extend((0..self.alarms.len()).map(Next::Ring));
        }
        if options.is_empty() {
            return None;
        }
        let chosen = self.choose(options.len());
        Some(self.take(&options[chosen]))
    }

    fn take(&mut self, next: &Next) -> (usize, Told) {
        match *next {
            Next::Fly(nth) => {
                let (seat, envelope) = self.flying.remove(nth);
                (seat, Told::Event(envelope))
            }
            Next::Answer(seat, nth) => {
                let Asked { id, answers } = self.asked[seat].remove(nth);
                let answer = self.choose(answers);
                let entry = self.seats[seat].entry(id, answer);
                self.refused.extend(entry.as_ref().and_then(refused));
                self.ledger.extend(entry);
                (seat, Told::Answer(id, answer))
            }
            Next::Retry(nth) => {
                let order = self.refused.remove(nth);
                (PAYMENT, self.command(order, 0))
            }
            Next::Cancel(order) => (ORDERS, self.command(order, 1)),
            Next::Ring(nth) => {
                let (order, name) = self.alarms.remove(nth);
                (ORDERS, Told::Ring(order, name))
            }
        }
    }

    /// What the auditor says.
    pub async fn audit(&self) -> audit::Report {
        let mut snapshot = Snapshot::default();
        for (seat, service) in self.seats.iter().zip(audit::SERVICES) {
            let (rows, status) = seat.listed().await;
            for row in rows {
                snapshot.add(row);
            }
            snapshot.status.insert(service.to_owned(), status);
        }
        for entry in &self.ledger {
            match entry.clone() {
                Entry::Charge(charge) => snapshot.ledger.charges.push(charge),
                Entry::Refund(refund) => snapshot.ledger.refunds.push(refund),
                Entry::Booking(booking) => snapshot.ledger.bookings.push(booking),
                Entry::Mail(mail) => snapshot.ledger.mails.push(mail),
            }
        }
        audit::audit(&snapshot, Some(&self.orders))
    }
}

/// Something that may come next, by its place among its like.
enum Next {
    Fly(usize),
    Answer(usize, usize),
    Retry(usize),
    Cancel(OrderId),
    Ring(usize),
}

fn refused(entry: &Entry) -> Option<OrderId> {
    match entry {
        Entry::Refund(it) if it.status == RefundStatus::Refused => Some(it.order_id),
        _ => None,
    }
}
