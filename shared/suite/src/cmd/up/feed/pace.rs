//! Keeps the rows to what a person can read: twenty a second. The events beyond them are counted, and one line sums up
//! each second. While it goes on faster than that, as in a load test, there is only that line.

use crate::ui::COLUMNS;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How many events of a second have rows of their own.
const ROWS: usize = 20;
const SECOND: Duration = Duration::from_secs(1);

/// Decides which events have a row of their own.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The second that began with an event and has not ended.
    second: Option<Second>,
    /// When the last second ended that had more events than rows.
    last_fast: Option<Instant>,
}

#[derive(Debug)]
struct Second {
    begin: Instant,
    /// How many events may have a row.
    rows: usize,
    shown: usize,
    /// The events without a row, by their types.
    counted: BTreeMap<String, usize>,
}

impl Pace {
    /// Whether an event of this type has a row; otherwise it is counted. Call [`Self::summary`] before.
    pub(super) fn admits(&mut self, event_type: &str, now: Instant) -> bool {
        let is_fast = self.last_fast.is_some_and(|end| now.saturating_duration_since(end) < SECOND);
        let rows = if is_fast { 0 } else { ROWS };
        let begin = || Second { begin: now, rows, shown: 0, counted: BTreeMap::new() };
        let second = self.second.get_or_insert_with(begin);
        if second.shown < second.rows {
            second.shown += 1;
            return true;
        }
        *second.counted.entry(event_type.to_owned()).or_default() += 1;
        false
    }

    /// Ends a second that has passed, and returns its line if events were counted in it.
    pub(super) fn summary(&mut self, now: Instant) -> Option<String> {
        let second = self.second.take_if(|second| now >= second.begin + SECOND)?;
        let counted: usize = second.counted.values().sum();
        self.last_fast = (second.shown + counted > ROWS).then_some(now);
        (counted > 0).then(|| summary(&second, counted))
    }
}

/// `… 180 more events: 60 TripBooked, 50 TripCancelled, 70 others`. The most frequent types come first, as many as fit.
fn summary(second: &Second, counted: usize) -> String {
    let mut types: Vec<(&String, &usize)> = second.counted.iter().collect();
    types.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let more = if second.shown > 0 { "more " } else { "" };
    let events = if counted == 1 { "event" } else { "events" };
    let (mut line, mut left) = (format!("… {counted} {more}{events}: "), counted);
    for (nth, (event_type, count)) in types.iter().enumerate() {
        let comma = if nth > 0 { ", " } else { "" };
        let named = format!("{comma}{count} {event_type}");
        let others = format!("{comma}{left} others");
        // Behind each type there must be room for the others.
        if line.chars().count() + named.chars().count() + others.len() > COLUMNS {
            return line + &others;
        }
        line += &named;
        left -= *count;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends events of alternating types at a time, and returns how many had rows.
    fn shown(pace: &mut Pace, count: usize, now: Instant) -> usize {
        let types = ["TripBooked", "TripBooked", "TripEnded"];
        (0..count).filter(|nth| pace.admits(types[nth % 3], now)).count()
    }

    #[tokio::test]
    async fn twenty_events_of_a_second_have_rows_and_the_others_are_summed_up() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(shown(&mut pace, 20, at(0)), 20);
        assert_eq!(shown(&mut pace, 30, at(999)), 0);
        assert_eq!(pace.summary(at(999)), None);
        let line = "… 30 more events: 20 TripBooked, 10 TripEnded";
        assert_eq!(pace.summary(at(1000)).as_deref(), Some(line));
        assert_eq!(pace.summary(at(1000)), None);
    }

    #[tokio::test]
    async fn while_it_goes_on_fast_there_is_only_a_line_a_second() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        shown(&mut pace, 21, at(0));
        pace.summary(at(1000));
        assert_eq!(shown(&mut pace, 300, at(1100)), 0);
        let line = "… 300 events: 200 TripBooked, 100 TripEnded";
        assert_eq!(pace.summary(at(2100)).as_deref(), Some(line));
        // A second with few events ends that, though its own events are still counted.
        assert_eq!(shown(&mut pace, 1, at(2200)), 0);
        assert_eq!(pace.summary(at(3200)).as_deref(), Some("… 1 event: 1 TripBooked"));
        assert_eq!(shown(&mut pace, 5, at(3300)), 5);
        assert_eq!(pace.summary(at(4300)), None);
    }

    #[tokio::test]
    async fn after_a_pause_there_are_rows_again() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        shown(&mut pace, 100, start);
        pace.summary(start + SECOND);
        assert_eq!(shown(&mut pace, 3, start + 2 * SECOND), 3);
    }

    #[tokio::test]
    async fn a_summary_fits_the_terminal_and_counts_every_event() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        shown(&mut pace, 20, now);
        for nth in 0..17 {
            pace.admits(&format!("AnEventWithALongName{nth}"), now);
        }
        let line = pace.summary(now + SECOND).unwrap();
        assert!(line.chars().count() <= COLUMNS && line.contains("others"), "{line}");
        let numbers = line.split([' ', ',']).filter_map(|word| word.parse::<usize>().ok());
        assert_eq!(numbers.collect::<Vec<_>>(), [17, 1, 1, 15], "{line}");
    }
}
