//! Describes a path through the states in words.

use std::collections::BTreeSet;

use crate::Publisher;
use audit::Row;
use event::Contract as _;
use stateright::Path;

use crate::{
    Action, Saga, State,
    cast::Cast,
    part::ALARMS,
    saga::Deed,
    script::{Delivery, Request, SERVICES},
    state::Life,
};

impl Saga {
    /// The lines of a path: one per step, and the violations in its last state.
    pub(crate) fn tell(&self, path: &Path<State, Action>) -> Vec<String> {
        let steps = path.clone().into_vec();
        let mut lines: Vec<String> = steps
            .windows(2)
            .filter_map(|pair| Some(self.describe_step(&pair[0].0, pair[0].1?, &pair[1].0)))
            .collect();
        let report = self.audit(path.last_state());
        let broken = report.invariants.iter().filter(|invariant| !invariant.holds);
        for offence in broken.flat_map(|invariant| &invariant.offences) {
            lines.push(format!("then {}: {}", offence.subject, offence.why));
        }
        lines
    }

    /// What happens in a step, and what it changes.
    fn describe_step(&self, before: &State, action: Action, after: &State) -> String {
        let mut changes = Vec::new();
        for (order, cast) in self.casts.iter().enumerate() {
            let steps = SERVICES
                .iter()
                .map(|(service, _)| {
                    (service, [before, after].map(|state| self.row_state(state, order, *service)))
                })
                .filter(|(_, [was, is])| was != is)
                .map(|(service, [was, is])| format!("{service} goes from {was} to {is}"))
                .chain(consequences(cast, &before.lives[order], &after.lives[order]));
            changes.extend(steps);
        }
        let (deed, changes) = (self.describe_deed(action), changes.join(", "));
        if changes.is_empty() { deed } else { format!("{deed}: {changes}") }
    }

    fn describe_deed(&self, Action { order, what }: Action) -> String {
        let cast = &self.casts[order];
        let of =
            if self.casts.len() > 1 { format!(" of order {}", order + 1) } else { String::new() };
        let answered = |request: u16, answer: u16| {
            let Request { by, number } = cast.script.request(request);
            let part = cast.part(by);
            (part.name(number), part.answer(number, answer))
        };
        match what {
            Deed::Hear(delivery) => {
                let Delivery { event, to } = cast.script.delivery(delivery);
                format!("{to} hears {}{of}", cast.script.event(event).event.event_type())
            }
            Deed::Wish(Publisher::Order, _) => format!("the customer{of} cancels"),
            Deed::Wish(service, _) => format!("an operator lets {service}{of} try again"),
            Deed::Ring(alarm) => format!("@{}{of} rings", ALARMS[usize::from(alarm)]),
            Deed::Answer(request, answer) => {
                let (name, answer) = answered(request, answer);
                format!("*{name}{of} is answered {answer}")
            }
            Deed::Lose(request, answer) => {
                let (name, answer) = answered(request, answer);
                format!("*{name}{of} is answered {answer}, which is lost")
            }
            Deed::Forget => {
                "the database is lost, and the events of its first topics come again".into()
            }
            Deed::Rewind => "the events of the other topics come again".into(),
        }
    }

    /// The state of a service's row, in a word or two.
    fn row_state(&self, state: &State, order: usize, service: Publisher) -> String {
        match self.rows(state, service).nth(order).flatten().as_deref() {
            None => "absent".into(),
            Some(Row::Reservation(row)) => row.state.to_string(),
            Some(Row::Payment(row)) => row.state.to_string(),
            Some(Row::Shipment(row)) => row.state.to_string(),
            Some(Row::Notification(row)) => row.state.to_string(),
            Some(Row::Product(row)) => row.sku.to_string(),
            Some(Row::Orders(row)) => match (row.ended, row.cause) {
                (Some(end), _) => end.to_string(),
                (None, Some(cause)) => format!(
                    "{cause}{}{}",
                    if row.stock_settled { ", stock settled" } else { "" },
                    if row.money_settled { ", money settled" } else { "" },
                ),
                (None, None) => row.stage.to_string(),
            },
        }
    }
}

/// The events that a step publishes and the requests that it makes.
fn consequences(cast: &Cast, before: &Life, after: &Life) -> Vec<String> {
    let new = after.published().without(before.published()).iter();
    let events: BTreeSet<u16> = new.map(|delivery| cast.script.delivery(delivery).event).collect();
    let published = events
        .into_iter()
        .map(|event| format!("{} is published", cast.script.event(event).event.event_type()));
    let requested = after.waiting.without(before.waiting).iter().map(|request| {
        let Request { by, number } = cast.script.request(request);
        format!("*{} is requested", cast.part(by).name(number))
    });
    published.chain(requested).collect()
}
