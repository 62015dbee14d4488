//! `rewind`: sets the consumer group of a stopped service back, so that the service reads all records again.

use super::on_bus::BusArgs;
use crate::component::Component;
use crate::invocation;
use crate::session::Session;
use crate::suite::Suite;
use crate::supervisor;
use crate::ui::{self, Ui};
use anyhow::{Result, bail};
use bus::{Bus, BusError, PartitionState};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the group may still have members: Kafka keeps those of a killed service until their sessions end.
const FREE_WITHIN: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(250);

/// The arguments of `rewind`.
#[derive(Debug, Args)]
pub struct Rewind {
    /// The service, also one of your own; it must be stopped: `quintet stop SERVICE`
    #[arg(value_name = "SERVICE")]
    service: String,
    /// Where it goes on: the oldest records that its topics hold
    #[arg(long, value_name = "WHERE")]
    to: To,
    #[command(flatten)]
    bus: BusArgs,
}

/// The offsets that a group can be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum To {
    /// The oldest records
    Beginning,
}

impl Rewind {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let To::Beginning = self.to;
        let suite = Suite::read(&session.dir()?)?;
        let service = Component::named(&self.service);
        if suite.is_some_and(|suite| runs(&suite, service)) {
            let stop = invocation::command(&format!("stop {service}"));
            bail!("{service} runs: stop it first with `{stop}`");
        }
        let bus = self.bus.open(session).await?;
        let group = session.manifest.group(&self.service);
        let known: Vec<&str> = session.topics.iter().copied().collect();
        let before = bus.partitions(&group, &known).await?;
        // Only topics that the group reads are set back. Offsets on another topic would show lag that never ends.
        let mut subscribed: Vec<&str> = Vec::new();
        for state in before.iter().filter(|state| state.committed.is_some()) {
            let topic = known.iter().find(|topic| **topic == state.topic).copied();
            subscribed.extend(topic.filter(|topic| !subscribed.contains(topic)));
        }
        if subscribed.is_empty() {
            bail!(
                "the group {group} has read nothing: if the name is right, it begins with the oldest \
                 records anyway"
            );
        }
        rewind(&*bus, &group, &subscribed).await?;
        self.report(session, &before)?;
        Ok(ExitCode::SUCCESS)
    }

    fn report(&self, session: &Session, before: &[PartitionState]) -> Result<()> {
        let (service, mut records, mut moved) = (&self.service, 0, Vec::new());
        for state in before {
            let Some(from) = state.committed else { continue };
            records += state.high - state.low;
            let (topic, partition, to) = (&state.topic, state.partition, state.low);
            moved.push(json!({"topic": topic, "partition": partition, "from": from, "to": to}));
        }
        if session.json {
            ui::result(
                &json!({"service": service, "records": records, "moved": moved}).to_string(),
            );
            return Ok(());
        }
        ui::result(&format!(
            "{service} will read {records} records again and recognise those that it has applied. {}",
            self.start(&session.services()?)
        ));
        Ok(())
    }

    /// A sentence that says how to start the service.
    fn start(&self, services: &[Component]) -> String {
        let service = &self.service;
        if services.iter().any(|component| component.name() == service) {
            format!("Start it with `{}`.", invocation::command(&format!("start {service}")))
        } else {
            format!("Start {service} as you did before.")
        }
    }
}

/// Whether a replica of the service runs on this machine.
fn runs(suite: &Suite, service: Component) -> bool {
    let replicas = suite.services.get(&service).into_iter().flat_map(|service| &service.replicas);
    replicas.filter_map(|replica| replica.pid).any(supervisor::alive)
}

/// Sets the group back as soon as it has no members.
async fn rewind(bus: &dyn Bus, group: &str, topics: &[&str]) -> Result<()> {
    let (ui, give_up) = (Ui::default(), Instant::now() + FREE_WITHIN);
    let mut waiting = None;
    loop {
        match bus.rewind(group, topics).await {
            Err(BusError::GroupActive { .. }) if Instant::now() < give_up => {
                waiting.get_or_insert_with(|| {
                    ui.spinner("waiting until the bus forgets the members of the group")
                });
                sleep(POLL).await;
            }
            result => return Ok(result?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::tests::ELSEWHERE;
    use bus::{Log, LogOptions, Topic};
    use std::path::Path;

    async fn log(folder: &Path) -> Log {
        Log::open(&folder.join("bus.db"), "", LogOptions::default()).await.unwrap()
    }

    fn arguments(service: &str) -> Rewind {
        Rewind { service: service.to_owned(), to: To::Beginning, bus: BusArgs::default() }
    }

    #[tokio::test]
    async fn a_group_is_set_back_only_on_the_topics_that_it_reads() {
        let temp = tempfile::tempdir().unwrap();
        let bus = log(temp.path()).await;
        let session = Session::of_test(temp.path());
        let all: Vec<Topic> = session
            .topics
            .iter()
            .map(|name| Topic { name, partitions: 1, compacted: false })
            .collect();
        bus.create_topics(&all).await.unwrap();
        let group = "trip-flights";
        let nothing = arguments("flights").run(&session).await.unwrap_err().to_string();
        assert!(nothing.contains("has read nothing"), "{nothing}");

        let record = bus::Outgoing {
            topic: "bookings".to_owned(),
            key: "k".to_owned(),
            headers: event::Headers::new(),
            value: Vec::new(),
        };
        let published = bus.producer().await.unwrap().publish(&[record]).await;
        assert!(published.error.is_none());
        let mut member = bus.consumer(group, &["bookings"]).await.unwrap();
        let read = member.receive(1).await.unwrap();
        let next = read[0].offset + 1;
        let (topic, partition) = ("bookings".to_owned(), read[0].partition);
        member.store(&[bus::Position { topic, partition, next }]).unwrap();
        member.close().await.unwrap();

        arguments("flights").run(&session).await.unwrap();
        let states = bus.partitions(group, &["bookings", "flights"]).await.unwrap();
        let committed: Vec<_> = states.iter().map(|state| state.committed).collect();
        assert_eq!(committed, [Some(0), None]);
    }

    #[test]
    fn a_service_outside_the_suite_is_started_as_before() {
        let known = [Component::named("flights")];
        assert_eq!(arguments("flights").start(&known), "Start it with `quintet start flights`.");
        assert_eq!(arguments("loyalty").start(&known), "Start loyalty as you did before.");
    }

    #[tokio::test]
    async fn a_service_that_runs_is_not_rewound() {
        let temp = tempfile::tempdir().unwrap();
        let mut suite: serde_json::Value = serde_json::from_str(ELSEWHERE).unwrap();
        // With this variable the process looks as if a launcher had started it.
        let mut sleep = std::process::Command::new("sleep");
        let mut sleep = sleep.arg("60").env("QUINTET_LEASH", "stdin").spawn().unwrap();
        suite["flights"]["pid"] = sleep.id().into();
        std::fs::write(temp.path().join("up.json"), suite.to_string()).unwrap();
        let session = Session::of_test(temp.path());
        let error = arguments("flights").run(&session).await.unwrap_err().to_string();
        assert_eq!(error, "flights runs: stop it first with `quintet stop flights`");
        sleep.kill().and_then(|()| sleep.wait()).unwrap();
    }
}
