//! The rows that `up` prints while the suite runs: one for each event that a service publishes.
//!
//! The launcher reads the bus from its end, as a reader without a group, so it disturbs no service. When the bus cannot be
//! read, one line says so, and it is tried again with growing pauses.

mod pace;
mod row;

use crate::catalog::Catalog;
use crate::cmd::events::{TIME, header};
use crate::cmd::on_bus::BusArgs;
use crate::session::Session;
use crate::ui::Ui;
use bus::{BusError, Incoming, Reader, Start};
use pace::Pace;
use row::Rows;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long the report of `up` waits for the bus, so that the first events after it are not missed.
const OPENS_WITHIN: Duration = Duration::from_secs(2);
/// How many records are read at once.
const CHUNK: usize = 1_000;
/// How long it waits for records before it looks whether a second has ended.
const WAIT: Duration = Duration::from_millis(400);
/// Without records, how often it asks whether the bus is still there.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// The first and the longest pause after the bus could not be read.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// Prints the events of a suite.
pub(super) struct Feed<'a> {
    session: &'a Session,
    ui: &'a Ui,
    reader: Option<Box<dyn Reader>>,
    /// When the bus last answered.
    heard: Instant,
    rows: Rows,
    pace: Pace,
}

impl<'a> Feed<'a> {
    /// Begins at the present end of the bus. If that takes too long, [`Self::run`] begins at the end that it finds.
    pub(super) async fn begin(session: &'a Session, ui: &'a Ui) -> Self {
        let catalog: Catalog = (session.catalog)();
        let (rows, pace) = (Rows::new(catalog), Pace::default());
        let mut feed = Self { session, ui, reader: None, heard: Instant::now(), rows, pace };
        if let Ok(Ok(reader)) = timeout(OPENS_WITHIN, feed.open()).await {
            feed.reader = Some(reader);
        }
        feed
    }

    /// Prints the events until this future is dropped.
    pub(super) async fn run(mut self) {
        if self.session.topics.is_empty() {
            return;
        }
        let mut retry = None::<Duration>;
        loop {
            self.end_of_second();
            match self.read().await {
                Ok(records) => {
                    retry = None;
                    self.print(records);
                }
                Err(error) => {
                    if retry.is_none() {
                        self.ui.tell(&cannot_read(&error));
                    }
                    let wait = retry.map_or(FIRST_RETRY, |last| (last * 2).min(LAST_RETRY));
                    sleep(wait).await;
                    retry = Some(wait);
                }
            }
        }
    }

    async fn open(&self) -> anyhow::Result<Box<dyn Reader>> {
        let bus = BusArgs::default().open(self.session).await?;
        let topics: Vec<&str> = self.session.topics.iter().copied().collect();
        Ok(bus.reader(&topics, Start::End).await?)
    }

    /// The next records in the order of their times, since topics have no order between them. None, if none comes soon.
    async fn read(&mut self) -> anyhow::Result<Vec<Incoming>> {
        if self.reader.is_none() {
            self.reader = Some(self.open().await?);
        }
        let Some(reader) = &mut self.reader else { return Ok(Vec::new()) };
        let received = match timeout(WAIT, reader.receive(CHUNK)).await {
            Ok(received) => received,
            Err(_) if self.heard.elapsed() < ASK_EVERY => return Ok(Vec::new()),
            // `receive` waits however long the broker is away. `read` fails.
            Err(_) => reader.read(CHUNK).await,
        };
        // A reader that has failed goes on where it was, so that no event is left out, unless the next one was deleted.
        if matches!(received, Err(BusError::OutOfReach)) {
            self.reader = None;
        }
        let mut records = received?;
        self.heard = Instant::now();
        records.sort_by(|one, other| header(one, TIME).cmp(header(other, TIME)));
        Ok(records)
    }

    fn print(&mut self, records: Vec<Incoming>) {
        for record in records {
            let event = self.rows.note(&record);
            self.end_of_second();
            if self.pace.admits(&event.of_type, Instant::now()) {
                let text = self.rows.text(&event, &record);
                self.ui.tell_of(event.service, event.at, &text);
            }
        }
    }

    fn end_of_second(&mut self) {
        if let Some(summary) = self.pace.summary(Instant::now()) {
            self.ui.tell(&summary);
        }
    }
}

fn cannot_read(error: &anyhow::Error) -> String {
    let (name, why) = (crate::invocation::name(), crate::explain(error));
    format!("{name}: cannot show events: {why}; trying again")
}
