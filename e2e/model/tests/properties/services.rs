//! Five services, and a network whose deliveries follow a list of choices.

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

use crate::service::{InputPlan, PendingRequest, Played, Running};

const ORDERS: usize = 0;
const INVENTORY: usize = 1;
const PAYMENT: usize = 2;

/// Databases for five services. They are reused from case to case.
pub struct Databases {
    databases: [(Database, Db); 5],
}

/// How many orders and pieces there are, and the choices that decide what happens next.
#[derive(Clone, Debug)]
pub struct Plan {
    pub orders: usize,
    pub stock: usize,
    pub choices: Vec<u16>,
}

/// Each service's batches, in the order in which it applied them.
pub type History = [Vec<Vec<InputPlan>>; 5];

/// Five services that are played.
pub struct Services {
    played: [Box<dyn Played>; 5],
    orders: Vec<OrderId>,
    /// Events on their way, with the index of the consumer.
    flying: Vec<(usize, Arc<Envelope<contracts::Event>>)>,
    requests: [Vec<PendingRequest>; 5],
    alarms: Vec<(OrderId, String)>,
    ledger: Vec<Entry>,
    /// Refunds that were refused and wait for an operator.
    refused: Vec<OrderId>,
    wishes: u128,
    choices: std::vec::IntoIter<u16>,
    pub history: History,
}

impl Databases {
    pub async fn new(database: impl AsyncFn() -> Database) -> Self {
        let [order, inventory, payment, shipping, notification] = [
            database().await,
            database().await,
            database().await,
            database().await,
            database().await,
        ];
        let dbs = (
            Running::<OrderService>::migrated(&order).await,
            Running::<InventoryService>::migrated(&inventory).await,
            Running::<PaymentService>::migrated(&payment).await,
            Running::<ShippingService>::migrated(&shipping).await,
            Running::<NotificationService>::migrated(&notification).await,
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

    /// Five services with empty databases, whose deadlines may fire at once.
    pub async fn services(&self) -> [Box<dyn Played>; 5] {
        let policy = Policy {
            paid: Duration::ZERO,
            first: Duration::ZERO,
            second: Duration::ZERO,
            ..Policy::default()
        };
        let order = OrderService { policy, ..OrderService::default() };
        let db = |nth: usize| self.databases[nth].1.clone();
        [
            Box::new(Running::fresh(order, db(0)).await),
            Box::new(Running::fresh(InventoryService, db(1)).await),
            Box::new(Running::fresh(PaymentService, db(2)).await),
            Box::new(Running::fresh(ShippingService, db(3)).await),
            Box::new(Running::fresh(NotificationService, db(4)).await),
        ]
    }
}

impl Services {
    /// Plays the plan until nothing is pending any more.
    pub async fn play(databases: &Databases, plan: Plan) -> Self {
        let order = |nth: usize| Uuid::from_u128(ORDER.as_u128() + nth as u128).into();
        let mut services = Self {
            played: databases.services().await,
            orders: (0..plan.orders).map(order).collect(),
            flying: Vec::new(),
            requests: Default::default(),
            alarms: Vec::new(),
            ledger: Vec::new(),
            refused: Vec::new(),
            wishes: 0,
            choices: plan.choices.into_iter(),
            history: History::default(),
        };
        services.open(plan.stock).await;
        while let Some((service, batch)) = services.next() {
            services.apply(service, batch).await;
        }
        services
    }

    /// Lists the product and places the orders.
    async fn open(&mut self, stock: usize) {
        let first = self.orders[0];
        let list = (0..=stock).map(|nth| self.command(first, nth.min(1))).collect();
        self.apply(INVENTORY, list).await;
        let prices =
            self.flying.drain(..).map(|(_, envelope)| InputPlan::Event(envelope)).collect();
        self.apply(ORDERS, prices).await;
        let orders = self.orders.clone();
        let placed = orders.into_iter().map(|order| self.command(order, 0)).collect();
        self.apply(ORDERS, placed).await;
    }

    fn command(&mut self, order: OrderId, nth: usize) -> InputPlan {
        self.wishes += 1;
        let cause = derived(order.into(), Uuid::from_u128(self.wishes), "command", 0);
        InputPlan::Command { cause, order, nth }
    }

    async fn apply(&mut self, service: usize, batch: Vec<InputPlan>) {
        self.played[service].apply(&batch).await;
        self.history[service].push(batch);
        for envelope in self.played[service].published().await {
            let envelope = Arc::new(envelope);
            for (nth, other) in self.played.iter().enumerate() {
                if other.hears(envelope.event.event_type()) {
                    self.flying.push((nth, Arc::clone(&envelope)));
                }
            }
        }
        self.requests[service] = self.played[service].requests().await;
        if service == ORDERS {
            self.alarms = self.played[service].alarms().await;
        }
    }

    fn choose(&mut self, of: usize) -> usize {
        self.choices.next().map_or(0, |choice| usize::from(choice) % of)
    }

    /// The next batch, and the index of its service: one to four pending inputs, and sometimes one that the service
    /// has applied before.
    fn next(&mut self) -> Option<(usize, Vec<InputPlan>)> {
        let (service, first) = self.one(None)?;
        let mut batch = vec![first];
        for _ in 0..self.choose(4) {
            batch.extend(self.one(Some(service)).map(|(_, input)| input));
        }
        let taken: Vec<InputPlan> =
            self.history[service].iter().flatten().chain(&batch).cloned().collect();
        if self.choose(3) == 1 {
            batch.push(taken[self.choose(taken.len())].clone());
        }
        Some((service, batch))
    }

    fn one(&mut self, only: Option<usize>) -> Option<(usize, InputPlan)> {
        let wanted = |service: usize| only.is_none_or(|only| only == service);
        let mut options = Vec::new();
        let flying = self.flying.iter().enumerate().filter(|(_, (service, _))| wanted(*service));
        options.extend(flying.map(|(nth, _)| Next::Fly(nth)));
        for service in (0..self.requests.len()).filter(|service| wanted(*service)) {
            options.extend((0..self.requests[service].len()).map(|nth| Next::Answer(service, nth)));
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

    fn take(&mut self, next: &Next) -> (usize, InputPlan) {
        match *next {
            Next::Fly(nth) => {
                let (service, envelope) = self.flying.remove(nth);
                (service, InputPlan::Event(envelope))
            }
            Next::Answer(service, nth) => {
                let PendingRequest { id, answers } = self.requests[service].remove(nth);
                let answer = self.choose(answers);
                let entry = self.played[service].entry(id, answer);
                self.refused.extend(entry.as_ref().and_then(refused));
                self.ledger.extend(entry);
                (service, InputPlan::Answer(id, answer))
            }
            Next::Retry(nth) => {
                let order = self.refused.remove(nth);
                (PAYMENT, self.command(order, 0))
            }
            Next::Cancel(order) => (ORDERS, self.command(order, 1)),
            Next::Ring(nth) => {
                let (order, name) = self.alarms.remove(nth);
                (ORDERS, InputPlan::Ring(order, name))
            }
        }
    }

    /// The audit report.
    pub async fn audit(&self) -> audit::Report {
        let mut snapshot = Snapshot::default();
        for (service, name) in self.played.iter().zip(audit::SERVICES) {
            let (rows, status) = service.listed().await;
            for row in rows {
                snapshot.add(row);
            }
            snapshot.status.insert(name.to_owned(), status);
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

/// An input that may come next, by its index among those of its kind.
enum Next {
    Fly(usize),
    Answer(usize, usize),
    Retry(usize),
    Cancel(OrderId),
    Ring(usize),
}

fn refused(entry: &Entry) -> Option<OrderId> {
    match entry {
        Entry::Refund(refund) if refund.status == RefundStatus::Refused => Some(refund.order_id),
        _ => None,
    }
}
