//! The text for the inputs of a service in the story.

use engine::{Participant, Poison, What, Work};
use event::Contract as _;

use super::Environment;

/// The inputs of a batch.
pub(crate) fn batch<P: Participant>(environment: &Environment, works: &[Work<P>]) -> String {
    let works: Vec<String> = works.iter().map(|work| one(environment, work)).collect();
    works.join(", ")
}

/// The inputs of a batch, and the number of records that the service does not understand.
pub(crate) fn batch_with_unreadable<P: Participant>(
    environment: &Environment,
    works: &[Work<P>],
    poison: &Poison,
) -> String {
    match poison.unreadable.len() {
        0 => batch(environment, works),
        unread => {
            let unread = format!("{} that it does not understand", count(unread, "record"));
            let works = (!works.is_empty()).then(|| batch(environment, works));
            works.into_iter().chain([unread]).collect::<Vec<_>>().join(", ")
        }
    }
}

fn one<P: Participant>(environment: &Environment, work: &Work<P>) -> String {
    let name = |about| environment.name(about);
    match &work.input.what {
        What::Event(event) => {
            format!("{} {}", event.event_type(), environment.name_of_key(&event.key()))
        }
        What::Command(_) => name(work.input.cause),
        What::Outcome(about, outcome) => {
            format!("answer {} {}", variants(&format!("{outcome:?}")), name((*about).into()))
        }
        What::Alarm(about, alarm) => format!("alarm {alarm:?} {}", name((*about).into())),
    }
}

/// The names of the enum variants at the beginning of a debug form.
fn variants(debug: &str) -> String {
    let head = debug.split('{').next().unwrap_or_default();
    let words = head.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// A number with its noun: `no event`, `1 event`, `2 events`.
pub(crate) fn count(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
