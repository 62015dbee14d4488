//! How the story calls things.

use engine::{Parking, Participant, What, Work};

use crate::stage::Stage;

/// What is in a batch.
pub(crate) fn batch<P: Participant>(stage: &Stage, works: &[Work<P>]) -> String {
    let works: Vec<String> = works.iter().map(|work| one(stage, work)).collect();
    works.join(", ")
}

/// The same with what is not understood.
pub(crate) fn taken<P: Participant>(stage: &Stage, works: &[Work<P>], parking: &Parking) -> String {
    match parking.unreadable.len() {
        0 => batch(stage, works),
        unread => {
            let unread = format!("{} that it does not understand", count(unread, "record"));
            let works = (!works.is_empty()).then(|| batch(stage, works));
            works.into_iter().chain([unread]).collect::<Vec<_>>().join(", ")
        }
    }
}

fn one<P: Participant>(stage: &Stage, work: &Work<P>) -> String {
    match &work.input.what {
        What::Event(event) => {
            let about = event.order_id().map_or_else(|| event.key(), |id| stage.name(id.uuid()));
            format!("{} {about}", event.event_type())
        }
        What::Command(_) => stage.name(work.input.cause),
        What::Outcome(order, outcome) => {
            format!("answer {} {}", plain(&format!("{outcome:?}")), stage.name(order.uuid()))
        }
        What::Alarm(order, alarm) => format!("alarm {alarm:?} {}", stage.name(order.uuid())),
    }
}

/// Of what Rust prints, the names of its variants.
fn plain(debug: &str) -> String {
    let head = debug.split('{').next().unwrap_or_default();
    let words = head.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// So many of them.
pub(crate) fn count(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
