//! `events`: prints the events on the bus.

use super::id::Id;
use super::on_bus::BusArgs;
use crate::session::Session;
use crate::ui::Ui;
use anyhow::Result;
use bus::{Incoming, Reader, Start};
use clap::Args;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::sleep;

/// How many records are read at once.
const CHUNK: usize = 1_000;
/// The pause before reading again at the end of the bus.
const POLL: Duration = Duration::from_millis(200);
/// The header of a record with the type of its event.
pub(super) const TYPE: &str = "ce_type";
/// The header of a record with the time of its event.
pub(super) const TIME: &str = "ce_time";

/// The arguments of `events`.
#[derive(Debug, Args)]
pub struct Events {
    /// Only this topic
    #[arg(value_name = "TOPIC")]
    topic: Option<String>,
    /// Only events of this aggregate; the end of its id is enough, as `up` shows it
    #[arg(long, value_name = "ID")]
    aggregate: Option<String>,
    /// Go on with the events that come, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// How many of those that are there, the newest
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    last: usize,
    #[command(flatten)]
    bus: BusArgs,
}

impl Events {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let id = self.aggregate.as_deref().map(Id::parse).transpose()?;
        let is_wanted = |record: &Incoming| id.as_ref().is_none_or(|id| id.is(&record.key));
        let bus = self.bus.open(session).await?;
        let topics: Vec<&str> = match &self.topic {
            Some(topic) => vec![topic],
            None => session.topics.iter().copied().collect(),
        };
        let mut reader = bus.reader(&topics, Start::Lowest).await?;
        let (found, hidden) = newest(&mut *reader, is_wanted, self.last).await?;
        if hidden > 0 {
            Ui::default().warn(&format!("{hidden} older events are not shown: --last shows more"));
        }
        let mut shown = show(found.iter(), session.json);
        while self.follow && shown.is_ok() {
            let records = reader.read(CHUNK).await?;
            if records.is_empty() {
                sleep(POLL).await;
            }
            shown = show(records.iter().filter(|record| is_wanted(record)), session.json);
        }
        // An error of `show` means that the reader of a pipe has gone, as with `events | head`. That is no failure.
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads the bus to its end. Returns the newest events, at most `most`, in the order of their times, and the number of older
/// ones.
async fn newest(
    reader: &mut dyn Reader,
    is_wanted: impl Fn(&Incoming) -> bool,
    most: usize,
) -> Result<(VecDeque<Incoming>, usize)> {
    let (mut found, mut older) = (VecDeque::new(), 0);
    loop {
        let records = reader.read(CHUNK).await?;
        let end = records.is_empty();
        found.extend(records.into_iter().filter(&is_wanted));
        // Sorting and cutting is done only when many events have come in, so that it costs little.
        if end || found.len() > 2 * most + CHUNK {
            found.make_contiguous().sort_by(|a, b| header(a, TIME).cmp(header(b, TIME)));
            let surplus = found.len().saturating_sub(most);
            found.drain(..surplus);
            older += surplus;
        }
        if end {
            return Ok((found, older));
        }
    }
}

fn show<'a>(records: impl Iterator<Item = &'a Incoming>, as_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for record in records {
        let line = if as_json { json(record).to_string() } else { text(record) };
        writeln!(out, "{line}")?;
    }
    out.flush()
}

pub(super) fn header<'a>(record: &'a Incoming, name: &str) -> &'a str {
    record.headers.text(name).unwrap_or_default()
}

/// An event in one line, without its data, which may be personal.
fn text(record: &Incoming) -> String {
    let place = format!("{}[{}]@{}", record.topic, record.partition, record.offset);
    let key = String::from_utf8_lossy(&record.key);
    let (time, of_type) = (header(record, TIME), header(record, TYPE));
    let line = format!("{time:<27} {of_type:<27} {key:<36} {place}");
    // Escape sequences in a record must not control the user's terminal.
    line.chars()
        .map(
            |character| {
                if character.is_ascii() && !character.is_ascii_control() { character } else { '?' }
            },
        )
        .collect()
}

fn json(record: &Incoming) -> Value {
    let headers = record.headers.iter().map(|(name, value)| {
        (name.to_owned(), Value::from(String::from_utf8_lossy(value).into_owned()))
    });
    let data: Value = serde_json::from_slice(&record.value)
        .unwrap_or_else(|_| String::from_utf8_lossy(&record.value).into());
    json!({
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": String::from_utf8_lossy(&record.key),
        "headers": headers.collect::<Map<String, Value>>(),
        "data": data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use bus::{BusError, Position};
    use event::Headers;

    /// A reader that returns three records at a time.
    struct ThreeByThree(VecDeque<Incoming>);

    #[async_trait]
    impl Reader for ThreeByThree {
        async fn read(&mut self, _: usize) -> Result<Vec<Incoming>, BusError> {
            let count = self.0.len().min(3);
            Ok(self.0.drain(..count).collect())
        }

        async fn receive(&mut self, most: usize) -> Result<Vec<Incoming>, BusError> {
            self.read(most).await
        }

        fn positions(&self) -> Vec<Position> {
            Vec::new()
        }
    }

    fn record(offset: i64) -> Incoming {
        let mut headers = Headers::new();
        headers.push(TYPE, "TripBooked");
        headers.push(TIME, format!("2026-01-01T00:00:{:02}Z", 59 - offset));
        let (topic, key) = ("bookings".to_owned(), b"\x1b[2Jkey".to_vec());
        Incoming { topic, partition: 1, offset, key, headers, value: b"{\"a\":1}".to_vec() }
    }

    #[tokio::test]
    async fn the_newest_events_are_sorted_by_time_and_the_others_counted() {
        let mut reader = ThreeByThree((0..10).map(record).collect());
        let even = |record: &Incoming| record.offset % 2 == 0;
        let (found, older) = newest(&mut reader, even, 3).await.unwrap();
        let offsets: Vec<i64> = found.iter().map(|record| record.offset).collect();
        assert_eq!((offsets.as_slice(), older), ([4, 2, 0].as_slice(), 2));
    }

    #[test]
    fn a_line_names_the_event_and_cannot_control_the_terminal() {
        let line = text(&record(7));
        assert!(line.starts_with("2026-01-01T00:00:52Z "), "{line}");
        assert!(line.contains("TripBooked") && line.ends_with("bookings[1]@7"), "{line}");
        assert!(line.contains("?[2Jkey") && !line.contains('\x1b'), "{line}");
        let json = json(&record(7));
        assert_eq!(
            (&json["data"]["a"], &json["headers"]["ce_type"]),
            (&1.into(), &"TripBooked".into())
        );
    }
}
