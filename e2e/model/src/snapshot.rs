use std::sync::Arc;

use crate::Publisher;
use audit::{Depth, Report, Row, Snapshot, Status};
use contracts::OrderId;

use crate::{
    Entry, Saga, State,
    script::{Delivery, Request, SERVICES},
};

impl Saga {
    /// The audit report of a state.
    #[must_use]
    pub fn audit(&self, state: &State) -> Report {
        let accepted: Vec<OrderId> = self.casts.iter().map(|cast| cast.script.order).collect();
        audit::audit(&self.snapshot(state), Some(&accepted))
    }

    /// A state in the auditor's types.
    fn snapshot(&self, state: &State) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (cast, life) in self.lives(state) {
            for (service, _) in SERVICES {
                if let Some(row) = cast.part(service).row(life.row(service)) {
                    snapshot.add(Row::clone(&row));
                }
            }
        }
        let product = self.products.get(state.product);
        snapshot.products.push(audit::ProductRow {
            sku: product.sku,
            stocked: product.stocked,
            on_hand: product.on_hand,
            reserved: product.reserved,
            shipped: product.shipped,
        });
        for entry in self.ledger(state) {
            match Entry::clone(&entry) {
                Entry::Charge(charge) => snapshot.ledger.charges.push(charge),
                Entry::Refund(refund) => snapshot.ledger.refunds.push(refund),
                Entry::Booking(booking) => snapshot.ledger.bookings.push(booking),
                Entry::Mail(mail) => snapshot.ledger.mails.push(mail),
            }
        }
        for (service, _) in SERVICES {
            snapshot.status.insert(service.as_str().to_owned(), self.status(state, service));
        }
        snapshot
    }

    /// The providers' ledger.
    pub(crate) fn ledger<'a>(&'a self, state: &'a State) -> impl Iterator<Item = Arc<Entry>> + 'a {
        self.lives(state).flat_map(|(cast, life)| {
            life.answers.iter().filter_map(|(number, answer)| {
                let Request { by, number } = cast.script.request(number);
                cast.part(by).entry(number, answer)
            })
        })
    }

    /// The queues of a service. Its outbox is always empty, and pending deliveries to it are its lag.
    fn status(&self, state: &State, service: Publisher) -> Status {
        let mut status = Status { lag: Some(0), ..Status::default() };
        let (mut effects, mut alarms, mut lag) = (0, 0, 0);
        for (cast, life) in self.lives(state) {
            let to = |number: &u16| {
                let Delivery { to, .. } = cast.script.delivery(*number);
                to == service
            };
            lag += life.flying.iter().filter(to).count();
            let by = |number: &u16| cast.script.request(*number).by == service;
            effects += life.waiting.iter().filter(by).count();
            alarms += if service == Publisher::Order { life.alarms.len() } else { 0 };
        }
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        status.lag = Some(count(lag));
        status.effects = Depth { depth: count(effects) };
        status.alarms = Depth { depth: count(alarms) };
        status
    }

    /// The service's row of each order.
    pub(crate) fn rows<'a>(
        &'a self,
        state: &'a State,
        service: Publisher,
    ) -> impl Iterator<Item = Option<Arc<Row>>> + 'a {
        self.lives(state).map(move |(cast, life)| cast.part(service).row(life.row(service)))
    }
}
