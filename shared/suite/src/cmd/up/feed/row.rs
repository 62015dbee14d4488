//! The row of an event: its type, the end of its aggregate's id, the time since the aggregate's first event, and facts.

use crate::catalog::Catalog;
use crate::cmd::events::{TIME, TYPE, header};
use crate::cmd::id;
use crate::component::{Component, Member};
use crate::duration;
use crate::palette::{cut, printable};
use bus::Incoming;
use clock::{Clock as _, SystemClock};
use jiff::Timestamp;
use std::collections::{HashMap, VecDeque};

const SOURCE: &str = "ce_source";
const SCHEMA: &str = "ce_dataschema";
/// How many characters the name of a service has at most, if another program has published the record.
const LONGEST_SERVICE: usize = 24;
/// Of how many aggregates the time of the first event is remembered.
const REMEMBERED: usize = 10_000;
/// The width of the time since the first event, such as `+59 min 59 s`.
const SINCE: usize = 12;

/// Makes rows of events.
pub(super) struct Rows {
    catalog: Catalog,
    /// When the first event of each aggregate happened, by the key of its records.
    first: HashMap<Vec<u8>, Timestamp>,
    /// The keys of `first`, the oldest one first.
    keys: VecDeque<Vec<u8>>,
}

/// An event of a row.
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) service: Member,
    pub(super) of_type: String,
    /// The time since the first event of the same aggregate; `None` for the first event.
    since: Option<jiff::SignedDuration>,
}

impl Rows {
    pub(super) fn new(catalog: Catalog) -> Self {
        Self { catalog, first: HashMap::new(), keys: VecDeque::new() }
    }

    /// Notes the event of a record, also if it will have no row.
    pub(super) fn note(&mut self, record: &Incoming) -> Event {
        let at = header(record, TIME).parse().unwrap_or_else(|_| SystemClock.now());
        let source = header(record, SOURCE);
        let service = cut(&printable(source.rsplit('/').next().unwrap_or(source)), LONGEST_SERVICE);
        let service = Component::named(if service.is_empty() { "?" } else { &service }).into();
        let of_type = printable(header(record, TYPE));
        let since = self.first.get(&record.key).map(|first| at.duration_since(*first));
        if since.is_none() {
            self.remember(record.key.clone(), at);
        }
        Event { at, service, of_type, since }
    }

    /// The text of the row, behind the time and the service.
    pub(super) fn text(&self, event: &Event, record: &Incoming) -> String {
        let since = event.since.map(|since| duration::since(since.max(jiff::SignedDuration::ZERO)));
        let facts = self.catalog.facts(header(record, SCHEMA), &record.value).join(", ");
        let text = format!(
            "{:width$} {:8} {:>SINCE$}  {facts}",
            event.of_type,
            id::short(&String::from_utf8_lossy(&record.key)),
            since.unwrap_or_default(),
            width = self.catalog.longest_type
        );
        text.trim_end().to_owned()
    }

    fn remember(&mut self, key: Vec<u8>, at: Timestamp) {
        self.first.insert(key.clone(), at);
        self.keys.push_back(key);
        if self.keys.len() > REMEMBERED
            && let Some(oldest) = self.keys.pop_front()
        {
            self.first.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::Headers;

    fn record(event_type: &str, key: &str, time: &str) -> Incoming {
        let mut headers = Headers::new();
        headers.push(TYPE, event_type);
        headers.push(TIME, time);
        headers.push(SOURCE, "/trip/booking");
        let (topic, key) = ("bookings".to_owned(), key.as_bytes().to_vec());
        Incoming { topic, partition: 0, offset: 0, key, headers, value: b"{}".to_vec() }
    }

    fn text(rows: &mut Rows, record: &Incoming) -> String {
        let event = rows.note(record);
        assert_eq!(event.service, Component::named("booking").into());
        rows.text(&event, record)
    }

    #[test]
    fn a_row_has_the_type_the_end_of_the_id_and_the_time_since_the_first_event() {
        let mut rows = Rows::new(Catalog::default());
        rows.catalog.longest_type = 11;
        let id = "01a1fe42-9258-7ba5-b604-8abaca0e01a8";
        let first = record("TripBooked", id, "2026-01-01T00:00:00.1Z");
        assert_eq!(text(&mut rows, &first), "TripBooked  ca0e01a8");
        let last = record("TripEnded", id, "2026-01-01T00:00:00.144Z");
        assert_eq!(text(&mut rows, &last), "TripEnded   ca0e01a8       +44 ms");
        let earlier = record("TripBegun", id, "2026-01-01T00:00:00Z");
        assert!(text(&mut rows, &earlier).ends_with("        +0 ms"));
    }

    #[test]
    fn the_oldest_aggregates_are_forgotten() {
        let mut rows = Rows::new(Catalog::default());
        for nth in 0..=REMEMBERED {
            rows.note(&record("TripBooked", &nth.to_string(), "2026-01-01T00:00:00Z"));
        }
        assert_eq!((rows.first.len(), rows.keys.len()), (REMEMBERED, REMEMBERED));
        assert!(!rows.first.contains_key(b"0".as_slice()));
    }

    #[test]
    fn a_record_of_another_program_cannot_control_the_terminal() {
        let mut rows = Rows::new(Catalog::default());
        let mut record = record("\u{1b}[2J", "\u{1b}[2J", "no time");
        record.headers.push(SCHEMA, "urn:unknown");
        let text = text(&mut rows, &record);
        assert!(text.starts_with("?[2J ?[2J") && !text.contains('\u{1b}'), "{text:?}");
    }
}
