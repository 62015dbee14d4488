//! Waits until a suite is at rest: no events, requests or deadlines are under way. Before that, an audit could not tell
//! an event that was lost from one that has not arrived yet.

mod rows;
mod status;

pub use rows::Rows;
pub use status::{Depth, Status};

use crate::component::{Component, Member};
use crate::control::Control;
use crate::http::{self, Api};
use crate::manifest::Manifest;
use crate::suite::{Provider, Suite};
use crate::ui::Ui;
use anyhow::Result;
use futures::future::join_all;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The pause between two queries of all services.
const POLL: Duration = Duration::from_millis(100);
/// The longest pause between two queries of [`Rest::quiet`], which is meant to cost the services little.
const LONGEST_POLL: Duration = Duration::from_secs(1);
/// If no figure of any service has changed for so long, a queue that should empty by itself is stuck.
const STUCK: Duration = Duration::from_secs(5);
/// The time-out of a page of rows: a large suite may take long.
const LONG_ANSWER: Duration = Duration::from_mins(1);

/// Queries the status of all services of a suite.
#[derive(Debug)]
pub struct Rest {
    /// The URLs of the admin listeners of each service's replicas.
    services: BTreeMap<Component, Vec<String>>,
    /// The URLs at which providers list their rows.
    listings: BTreeMap<Component, String>,
    control: Option<Control>,
    api: Api,
    /// A client with a long time-out, for rows.
    patient: Api,
}

/// The answers of all services to one query.
pub type Look = BTreeMap<Component, Answer>;
/// The status of a service, or why it does not answer.
pub type Answer = Result<Status, String>;
/// The status of each service.
pub type Statuses = BTreeMap<Component, Status>;

/// Whether a suite has come to rest within the time that it was given.
#[derive(Debug)]
pub enum Seen<S> {
    /// It is at rest. This is its state.
    Still(Still<S>),
    /// It is not at rest. Each line is a reason.
    Moving(Vec<String>),
}

/// The state of a suite at rest.
#[derive(Debug)]
pub struct Still<S> {
    /// What `collect` returned, such as the rows.
    pub collected: S,
    /// The statuses of its services, the same before and after the rows were collected.
    pub statuses: Statuses,
}

/// The last answers that differed from those before, and when they came.
struct LastChange {
    look: Look,
    at: Instant,
}

impl Rest {
    /// Queries the suite that `up.json` describes.
    ///
    /// # Errors
    /// If the clients cannot be set up.
    pub fn of(suite: &Suite, api: Api) -> Result<Self> {
        let services = suite.services.iter();
        let services = services.map(|(&name, service)| {
            (name, service.replicas.iter().map(|replica| replica.admin_url.clone()).collect())
        });
        let control = suite.control.as_deref().map(Control::at).transpose()?;
        let patient = Api::waiting(LONG_ANSWER)?;
        let (services, listings) = (services.collect(), BTreeMap::new());
        Ok(Self { services, listings, control, api, patient })
    }

    /// Makes [`Rest::all_rows`] read also the rows of the providers that list some. The manifest says at which path.
    #[must_use]
    pub fn with_providers(mut self, suite: &Suite, manifest: &Manifest) -> Self {
        let listing = |(name, provider): (&Component, &Provider)| {
            let path = manifest.provider(*name)?.rows.as_ref()?;
            Some((*name, format!("{}{path}", provider.url)))
        };
        self.listings = suite.providers.iter().filter_map(listing).collect();
        self
    }

    /// Waits at most so long until the suite is at rest, and calls `collect` then.
    ///
    /// A suite that is stuck counts as at rest when the time is over: its state will not change, so an audit can judge it.
    pub async fn wait<S>(
        &self,
        wait: Duration,
        ui: &Ui,
        collect: impl AsyncFn() -> Result<S, String>,
    ) -> Seen<S> {
        let give_up = Instant::now() + wait;
        let mut last_change = LastChange { look: Look::new(), at: Instant::now() };
        let mut progress = None;
        loop {
            let look = self.look().await;
            last_change.note(&look, Instant::now());
            let mut waiting = waiting(&look);
            if waiting.is_empty() {
                match self.still(&collect, Status::is_quiet).await {
                    Ok(Some(still)) => return Seen::Still(still),
                    Ok(None) => waiting.push("events are still being handled".to_owned()),
                    Err(why) => waiting.push(why),
                }
            }
            if Instant::now() >= give_up {
                if last_change.is_stuck(Instant::now())
                    && let Ok(Some(still)) =
                        self.still(&collect, Status::has_nothing_to_wait_for).await
                {
                    return Seen::Still(still);
                }
                return Seen::Moving(waiting);
            }
            let progress = progress.get_or_insert_with(|| ui.spinner("waiting for rest"));
            progress.now(&format!("waiting for rest: {}", waiting.join("; ")));
            sleep(POLL).await;
        }
    }

    /// Waits at most so long until the suite is at rest. It reads the statuses alone and no rows, which costs the services
    /// little.
    ///
    /// # Errors
    /// A line for each service that is not at rest by then.
    pub async fn quiet(&self, wait: Duration) -> Result<(), Vec<String>> {
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

    /// Queries the status of all services. The replicas of a service are one group.
    pub async fn look(&self) -> Look {
        let ask = async |(name, replicas): (&Component, &Vec<String>)| {
            let members = name.members(replicas.len()).zip(replicas);
            let statuses = members.map(|(member, admin)| self.ask(member, admin));
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

    /// Why a process does not answer: the launcher's reason if it has one, else the error.
    pub async fn why_silent(&self, member: Member, error: &http::Error) -> String {
        let why = self.why_down(member.component).await;
        why.unwrap_or_else(|| format!("{member} does not answer: {}", error.why()))
    }

    /// Why a component is down until the user starts it; `None` if it is not, or the launcher does not answer.
    pub async fn why_down(&self, component: Component) -> Option<String> {
        self.control.as_ref()?.launcher().await.ok()?.why_down(component)
    }

    /// Collects the state of the suite if the status of all services is `expected`; `None` if it is not, or if a status
    /// changed meanwhile, so that the rows belong to different moments.
    async fn still<S>(
        &self,
        collect: impl AsyncFn() -> Result<S, String>,
        expected: fn(&Status) -> bool,
    ) -> Result<Option<Still<S>>, String> {
        let before = self.look().await;
        let collected = collect().await?;
        // The status counts the batches. The same figures mean that no batch was committed while `collect` ran.
        if before != self.look().await {
            return Ok(None);
        }
        let statuses: Result<Statuses, String> =
            before.into_iter().map(|(name, answer)| Ok((name, answer?))).collect();
        let statuses = statuses?;
        let all_expected = statuses.values().all(expected);
        Ok(all_expected.then_some(Still { collected, statuses }))
    }
}

impl LastChange {
    /// Remembers the answers if they differ from the last ones.
    fn note(&mut self, look: &Look, now: Instant) {
        if self.look != *look {
            *self = Self { look: look.clone(), at: now };
        }
    }

    /// Whether an outbox or a dead-letter queue holds something, although no figure has changed for [`STUCK`] and no
    /// service waits for a provider or for records of the bus.
    fn is_stuck(&self, now: Instant) -> bool {
        let quiet = |answer: &Answer| answer.as_ref().is_ok_and(Status::has_nothing_to_wait_for);
        let holds = |answer: &Answer| {
            answer.as_ref().is_ok_and(|status| status.outbox.depth > 0 || status.parked.depth > 0)
        };
        now.duration_since(self.at) >= STUCK
            && self.look.values().all(quiet)
            && self.look.values().any(holds)
    }
}

/// The statuses of the services that answered. If they are the same at two times, no batch was committed in between.
#[must_use]
pub fn answers(look: &Look) -> BTreeMap<Component, &Status> {
    look.iter().filter_map(|(name, answer)| Some((*name, answer.as_ref().ok()?))).collect()
}

/// A line for each service that is not at rest, with the reason.
fn waiting(look: &Look) -> Vec<String> {
    let why = |(name, answer): (&Component, &Answer)| match answer {
        Err(why) => Some(why.clone()),
        Ok(status) if status.is_quiet() => None,
        Ok(status) => Some(format!("{name}: {}", status.waiting())),
    };
    look.iter().filter_map(why).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(change: impl FnOnce(&mut Status)) -> Status {
        let mut status = Status { lag: Some(0), ..Status::default() };
        change(&mut status);
        status
    }

    fn look(flights: Answer) -> Look {
        let quiet = ["booking", "hotels"].map(|name| (name.into(), Ok(status(|_| {}))));
        quiet.into_iter().chain([("flights".into(), flights)]).collect()
    }

    const SOME: Depth = Depth { depth: 2 };

    #[test]
    fn a_service_that_waits_is_named_with_its_queues() {
        assert!(waiting(&look(Ok(status(|_| {})))).is_empty());
        let busy =
            status(|fields| (fields.outbox, fields.effects, fields.lag) = (SOME, SOME, Some(7)));
        assert_eq!(waiting(&look(Ok(busy))), ["flights: outbox 2, effects 2, lag 7"]);
        let without_broker = status(|fields| fields.lag = None);
        assert_eq!(waiting(&look(Ok(without_broker))), ["flights: the broker does not answer"]);
        let silent = Err("flights does not answer".to_owned());
        assert_eq!(waiting(&look(silent)), ["flights does not answer"]);
    }

    /// Whether the suite is stuck after `flights` has had this status for so long.
    fn is_stuck_after(flights: Status, pause: Duration) -> bool {
        let now = Instant::now();
        let mut last_change = LastChange { look: Look::new(), at: now };
        last_change.note(&look(Ok(flights)), now);
        last_change.note(&look(Ok(flights)), now + pause);
        last_change.is_stuck(now + pause)
    }

    #[test]
    fn only_an_outbox_or_a_dead_letter_queue_that_stays_full_is_stuck() {
        assert!(is_stuck_after(status(|fields| fields.outbox = SOME), STUCK));
        assert!(is_stuck_after(status(|fields| fields.parked = SOME), STUCK));
        assert!(is_stuck_after(
            status(|fields| (fields.outbox, fields.alarms) = (SOME, SOME)),
            STUCK
        ));
        assert!(
            !is_stuck_after(status(|fields| fields.outbox = SOME), STUCK / 2),
            "too short a time"
        );
        assert!(
            !is_stuck_after(status(|fields| fields.alarms = SOME), STUCK),
            "a deadline is due later"
        );
        let waits_for_provider = status(|fields| (fields.outbox, fields.effects) = (SOME, SOME));
        assert!(!is_stuck_after(waits_for_provider, STUCK), "a provider may still answer");
        let without_broker = status(|fields| (fields.outbox, fields.lag) = (SOME, None));
        assert!(!is_stuck_after(without_broker, STUCK), "the broker is away");
    }

    #[test]
    fn any_change_restarts_the_time() {
        let now = Instant::now();
        let mut last_change = LastChange { look: Look::new(), at: now };
        last_change.note(&look(Ok(status(|fields| fields.outbox = SOME))), now);
        last_change.note(
            &look(Ok(status(|fields| (fields.outbox, fields.batches) = (SOME, 1)))),
            now + STUCK,
        );
        assert!(!last_change.is_stuck(now + STUCK));
    }
}
