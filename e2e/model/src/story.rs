//! A way through the states as people read it.

use std::collections::BTreeSet;

use crate::Publisher;
use audit::Row;
use event::Contract as _;
use stateright::Path;

use crate::{
    Action, Saga, State,
    cast::Cast,
    saga::Deed,
    script::{Delivery, Request, SERVICES},
    stage::ALARMS,
    state::Life,
};

impl Saga {
    /// A line a step, and what is wrong at its end.
    pub(crate) fn tell(&self, path: &Path<State, Action>) -> Vec<String> {
        let steps = path.clone().into_vec();
        let mut lines: Vec<String> = steps
            .windows(2)
            .filter_map(|pair| Some(self.step_told(&pair[0].0, pair[0].1?, &pair[1].0)))
            .collect();
        let report = self.audit(path.last_state());
        let broken = report.invariants.iter().filter(|invariant| !invariant.holds);
        for offence in broken.flat_map(|invariant| &invariant.offences) {
            lines.push(format!("then {}: {}", offence.subject, offence.why));
        }
        lines
    }

    /// What happens, to whom, and what changes by it.
    fn step_told(&self, before: &State, action: Action, after: &State) -> String {
        let mut changes = Vec::new();
        for (order, cast) in self.casts.iter().enumerate() {
            let steps = SERVICES
                .iter()
                .map(|(service, _)| {
                    (service, [before, after].map(|it| self.stands(it, order, *service)))
                })
                .filter(|(_, [was, is])| was != is)
                .map(|(service, [was, is])| format!("{service} goes from {was} to {is}"))
                .chain(consequences(cast, &before.lives[order], &after.lives[order]));
            changes.extend(steps);
        }
        let (deed, changes) = (self.deed_told(action), changes.join(", "));
        if changes.is_empty() { deed } else { format!("{deed}: {changes}") }
    }

    fn deed_told(&self, Action { order, what }: Action) -> String {
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
            Deed::Forget => "the database is lost, and what was heard comes again".into(),
            Deed::Rewind => "what is left of it comes again".into(),
        }
    }

    /// How a service sees an order, in a word or two.
    fn stands(&self, state: &State, order: usize, service: Publisher) -> String {
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

/// What a step says and asks.
fn consequences(cast: &Cast, before: &Life, after: &Life) -> Vec<String> {
    let new = after.said().without(before.said()).iter();
    let events: BTreeSet<u16> = new.map(|delivery| cast.script.delivery(delivery).event).collect();
    let said = events
        .into_iter()
        .map(|event| format!("{} is said", cast.script.event(event).event.event_type()));
    let asked = after.waiting.without(before.waiting).iter().map(|request| {
        let Request { by, number } = cast.script.request(request);
        format!("*{} is asked", cast.part(by).name(number))
    });
    said.chain(asked).collect()
}
