//! Waiting until nothing happens any more: only then it can be told what is wrong from what has not
//! arrived yet.

mod part;

use crate::control::Control;
use crate::http::{self, Api};
use crate::program::{Member, Program};
use crate::suite::Suite;
use crate::ui::Ui;
use anyhow::{Context, Result};
use audit::{Addresses, Snapshot, Status};
use futures::future::join_all;
pub(super) use part::Part;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The pause between two looks.
const POLL: Duration = Duration::from_millis(100);
/// The longest pause between two looks that are to cost the services little.
const LONGEST_POLL: Duration = Duration::from_secs(1);
/// What has not been sent for so long, while the broker answers and nothing else happens, is stuck.
const STUCK: Duration = Duration::from_secs(5);
/// How often to look for a moment at which nothing moves, once there is no time to wait for rest.
const LOOKS: usize = 5;
/// All rows of a large suite in pages, and its whole ledger.
const LONG_ANSWER: Duration = Duration::from_mins(1);

/// What there is to judge.
#[derive(Debug)]
pub(super) enum Finding {
    /// The suite as it stands, and nothing happens.
    Still(Box<Snapshot>),
    /// It is not at rest: why, a line each, and how those stand that answer, if nothing moved for a moment.
    Moving(Vec<String>, Option<Box<Part>>),
}

/// Somebody who asks everybody in a suite.
#[derive(Debug)]
pub(crate) struct Auditor {
    addresses: Addresses,
    /// Each service's replicas, by their admin listeners.
    services: Vec<(Program, Vec<String>)>,
    control: Option<Control>,
    api: Api,
    /// One that waits for long answers.
    patient: Api,
    client: reqwest::Client,
}

/// What the services answered at one time, or why they did not.
type Look = BTreeMap<Program, Answer>;
type Answer = Result<Status, String>;

/// What the services say, and since when they have been saying it.
struct Since {
    look: Look,
    at: Instant,
}

impl Auditor {
    /// # Errors
    /// When the client cannot be set up.
    pub(crate) fn of(suite: &Suite, api: Api) -> Result<Self> {
        let addresses = serde_json::to_value(suite).and_then(serde_json::from_value);
        let addresses = addresses.context("up.json was not written by this version")?;
        let services = suite.services.iter();
        let services = services.map(|(&name, it)| {
            (name, it.replicas.iter().map(|replica| replica.admin_url.clone()).collect())
        });
        let services = services.collect();
        let client = reqwest::Client::builder().no_proxy().timeout(LONG_ANSWER).build()?;
        let control = suite.control.as_deref().map(Control::at).transpose()?;
        let patient = Api::waiting(LONG_ANSWER)?;
        Ok(Self { addresses, services, control, api, patient, client })
    }

    /// Waits so long at most until nothing happens.
    pub(super) async fn wait(&self, wait: Duration, ui: &Ui) -> Finding {
        let give_up = Instant::now() + wait;
        let mut since = Since { look: Look::new(), at: Instant::now() };
        let mut progress = None;
        loop {
            let look = self.look().await;
            since.note(&look, Instant::now());
            let mut waiting = waiting(&look);
            if waiting.is_empty() {
                match self.still_snapshot(Status::is_quiet).await {
                    Ok(Some(snapshot)) => return Finding::Still(snapshot),
                    Ok(None) => waiting.push("events are still being handled".to_owned()),
                    Err(why) => waiting.push(why),
                }
            }
            if Instant::now() >= give_up {
                drop(progress);
                return self.out_of_time(&since, waiting).await;
            }
            let progress = progress.get_or_insert_with(|| ui.spinner("waiting for rest"));
            progress.now(&format!("waiting for rest: {}", waiting.join("; ")));
            sleep(POLL).await;
        }
    }

    /// Waits so long at most until nothing happens; looks at the queues alone, which costs the
    /// services little.
    ///
    /// # Errors
    /// Who is still at work then, a line each.
    pub(crate) async fn rest(&self, wait: Duration) -> Result<(), Vec<String>> {
        let give_up = Instant::now() + wait;
        let (mut before, mut pause) = (Look::new(), POLL);
        loop {
            let look = self.look().await;
            let waiting = waiting(&look);
            if waiting.is_empty() && look == before {
                return Ok(());
            }
            if Instant::now() >= give_up && !waiting.is_empty() {
                return Err(waiting);
            }
            before = look;
            sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_POLL);
        }
    }

    /// What is stuck for good is not on its way any more.
    async fn out_of_time(&self, since: &Since, mut waiting: Vec<String>) -> Finding {
        if since.is_stuck(Instant::now())
            && let Ok(Some(snapshot)) = self.still_snapshot(has_nothing_to_wait_for).await
        {
            return Finding::Still(snapshot);
        }
        // A few times: what is on its way may commit a batch at any time.
        for _ in 0..LOOKS {
            if let Some(part) = self.part().await {
                let silent = part.silent.values().filter(|why| !waiting.contains(why));
                waiting.extend(silent.cloned().collect::<Vec<_>>());
                return Finding::Moving(waiting, Some(Box::new(part)));
            }
        }
        Finding::Moving(waiting, None)
    }

    async fn look(&self) -> Look {
        let ask = async |(name, replicas): &(Program, Vec<String>)| {
            let statuses = replicas.iter().enumerate();
            let statuses =
                statuses.map(|(nth, admin)| self.ask(Member { program: *name, nth }, admin));
            let statuses: Result<Vec<Status>, String> =
                join_all(statuses).await.into_iter().collect();
            let group = statuses.map(|all| Status::of_group(all).unwrap_or_default());
            (*name, group)
        };
        join_all(self.services.iter().map(ask)).await.into_iter().collect()
    }

    async fn ask(&self, member: Member, admin: &str) -> Answer {
        match self.api.get(&format!("{admin}/admin/status")).await {
            Ok(status) => Ok(status),
            Err(error) => Err(self.why_silent(member, &error).await),
        }
    }

    async fn why_silent(&self, member: Member, error: &http::Error) -> String {
        let why = self.why_down(member.program).await;
        why.unwrap_or_else(|| format!("{member} does not answer: {}", error.why()))
    }

    async fn why_down(&self, name: Program) -> Option<String> {
        self.control.as_ref()?.launcher().await.ok()?.why_down(name)
    }

    /// A snapshot of one moment, in which all services stood so; `None` if something happened.
    async fn still_snapshot(
        &self,
        stands: fn(&Status) -> bool,
    ) -> Result<Option<Box<Snapshot>>, String> {
        let snapshot = match audit::collect(&self.client, &self.addresses).await {
            Ok(snapshot) => snapshot,
            // The services have just answered.
            Err(error) => {
                let why = self.why_down(Program::Sandbox).await;
                return Err(why.unwrap_or_else(|| crate::explain(&error.into())));
            }
        };
        let mut later = Snapshot::default();
        for (name, status) in self.look().await {
            later.status.insert(name.to_string(), status?);
        }
        let stood = later.status.values().chain(snapshot.status.values()).all(stands);
        // The same figures: the queues are as they were, and no batch was committed in between.
        let same = snapshot.status == later.status;
        Ok((stood && same).then(|| Box::new(snapshot)))
    }
}

impl Since {
    fn note(&mut self, look: &Look, now: Instant) {
        if self.look != *look {
            *self = Self { look: look.clone(), at: now };
        }
    }

    /// Whether something that should go by itself has not gone for long, and nothing else is under
    /// way that it could be waiting for.
    fn is_stuck(&self, now: Instant) -> bool {
        let quiet = |answer: &Answer| answer.as_ref().is_ok_and(has_nothing_to_wait_for);
        let holds = |answer: &Answer| {
            answer.as_ref().is_ok_and(|it| it.outbox.depth > 0 || it.parked.depth > 0)
        };
        now.duration_since(self.at) >= STUCK
            && self.look.values().all(quiet)
            && self.look.values().any(holds)
    }
}

/// A request to the outside world goes out again until it is answered, and what lies on the bus is
/// about to be read: whoever has neither can only be waiting for itself.
fn has_nothing_to_wait_for(status: &Status) -> bool {
    status.effects.depth == 0 && status.lag == Some(0)
}

/// Who is not quiet, and why.
fn waiting(look: &Look) -> Vec<String> {
    let why = |(name, answer): (&Program, &Answer)| match answer {
        Err(why) => Some(why.clone()),
        Ok(status) if status.is_quiet() => None,
        Ok(status) => Some(format!("{name}: {}", queues(status))),
    };
    look.iter().filter_map(why).collect()
}

fn queues(status: &Status) -> String {
    let queues = [
        ("outbox", status.outbox.depth),
        ("effects", status.effects.depth),
        ("alarms", status.alarms.depth),
        ("parked", status.parked.depth),
        ("lag", status.lag.unwrap_or(0)),
    ];
    let waiting = queues.iter().filter(|(_, depth)| *depth != 0);
    let mut waiting: Vec<String> =
        waiting.map(|(queue, depth)| format!("{queue} {depth}")).collect();
    if status.lag.is_none() {
        waiting.push("the broker does not answer".to_owned());
    }
    waiting.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit::Depth;

    fn status(change: impl FnOnce(&mut Status)) -> Status {
        let mut status = Status { lag: Some(0), ..Status::default() };
        change(&mut status);
        status
    }

    fn look(payment: Answer) -> Look {
        let quiet = Program::SERVICES.map(|name| (name, Ok(status(|_| {}))));
        quiet.into_iter().chain([(Program::Payment, payment)]).collect()
    }

    const SOME: Depth = Depth { depth: 2 };

    #[test]
    fn who_waits_is_named_with_what_for() {
        assert!(waiting(&look(Ok(status(|_| {})))).is_empty());
        let busy = status(|it| (it.outbox, it.effects, it.lag) = (SOME, SOME, Some(7)));
        assert_eq!(waiting(&look(Ok(busy))), ["payment: outbox 2, effects 2, lag 7"]);
        let alone = status(|it| it.lag = None);
        assert_eq!(waiting(&look(Ok(alone))), ["payment: the broker does not answer"]);
        let silent = Err("payment does not answer".to_owned());
        assert_eq!(waiting(&look(silent)), ["payment does not answer"]);
    }

    fn after(payment: Status, pause: Duration) -> bool {
        let now = Instant::now();
        let mut since = Since { look: Look::new(), at: now };
        since.note(&look(Ok(payment)), now);
        since.note(&look(Ok(payment)), now + pause);
        since.is_stuck(now + pause)
    }

    #[test]
    fn only_what_should_go_by_itself_and_does_not_for_long_is_stuck() {
        assert!(after(status(|it| it.outbox = SOME), STUCK));
        assert!(after(status(|it| it.parked = SOME), STUCK));
        assert!(after(status(|it| (it.outbox, it.alarms) = (SOME, SOME)), STUCK));
        assert!(!after(status(|it| it.outbox = SOME), STUCK / 2), "not for long");
        assert!(!after(status(|it| it.alarms = SOME), STUCK), "a deadline is due later");
        let asks = status(|it| (it.outbox, it.effects) = (SOME, SOME));
        assert!(!after(asks, STUCK), "somebody is still asked");
        let alone = status(|it| (it.outbox, it.lag) = (SOME, None));
        assert!(!after(alone, STUCK), "the broker is away");
    }

    #[test]
    fn whatever_happens_begins_the_time_anew() {
        let now = Instant::now();
        let mut since = Since { look: Look::new(), at: now };
        since.note(&look(Ok(status(|it| it.outbox = SOME))), now);
        since.note(&look(Ok(status(|it| (it.outbox, it.turns) = (SOME, 1)))), now + STUCK);
        assert!(!since.is_stuck(now + STUCK));
    }
}
