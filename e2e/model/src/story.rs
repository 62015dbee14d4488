//! A way through the states as people read it.

use audit::Row;
use contracts::Publisher;
use stateright::Path;

use crate::{
    Action, Saga, State,
    saga::Deed,
    script::{Delivery, Request, SERVICES},
    stage::ALARMS,
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
        let mut line = self.deed_told(action);
        for (service, _) in SERVICES {
            for order in 0..self.casts.len() {
                let of = |state: &State| self.stands(state, order, service);
                let (was, is) = (of(before), of(after));
                if was != is {
                    line += &format!("; {service} of order {}: {was} to {is}", order + 1);
                }
            }
        }
        for (order, cast) in self.casts.iter().enumerate() {
            let (was, is) = (&before.lives[order], &after.lives[order]);
            let mut said: Vec<u16> = is
                .said()
                .without(was.said())
                .iter()
                .map(|delivery| cast.script.delivery(delivery).event)
                .collect();
            said.dedup();
            for event in said {
                line += &format!(", says {}", cast.script.event(event).event.event_type());
            }
            for request in is.waiting.without(was.waiting).iter() {
                let Request { by, number } = cast.script.request(request);
                line += &format!(", asks *{}", cast.part(by).name(number));
            }
        }
        line
    }

    fn deed_told(&self, Action { order, what }: Action) -> String {
        let (cast, of) = (&self.casts[order], order + 1);
        match what {
            Deed::Hear(delivery) => {
                let Delivery { event, to } = cast.script.delivery(delivery);
                let event = cast.script.event(event).event.event_type();
                format!("{to} hears {event} of order {of}")
            }
            Deed::Wish(Publisher::Order, _) => format!("the customer cancels order {of}"),
            Deed::Wish(service, _) => format!("an operator asks {service} again about order {of}"),
            Deed::Ring(alarm) => format!("@{} of order {of} rings", ALARMS[usize::from(alarm)]),
            Deed::Answer(request, answer) => {
                let Request { by, number } = cast.script.request(request);
                let part = cast.part(by);
                format!(
                    "*{} of order {of} is answered: {}",
                    part.name(number),
                    part.answer(number, answer)
                )
            }
            Deed::Lose(request, answer) => {
                let Request { by, number } = cast.script.request(request);
                let part = cast.part(by);
                format!(
                    "*{} of order {of} is done and its answer lost: {}",
                    part.name(number),
                    part.answer(number, answer)
                )
            }
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
