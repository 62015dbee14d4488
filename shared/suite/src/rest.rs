//! Waiting until nothing happens in a suite any more: only then it can be told what is wrong from what has not arrived
//! yet.

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

/// The pause between two looks.
const POLL: Duration = Duration::from_millis(100);
/// The longest pause between two looks that are to cost the services little.
const LONGEST_POLL: Duration = Duration::from_secs(1);
/// What has not been sent for so long, while the broker answers and nothing else happens, is stuck.
const STUCK: Duration = Duration::from_secs(5);
/// All rows of a large suite in pages.
const LONG_ANSWER: Duration = Duration::from_mins(1);

/// Asks all services of a suite where they stand.
#[derive(Debug)]
pub struct Rest {
    /// Each service's replicas, by their admin listeners.
    services: BTreeMap<Component, Vec<String>>,
    /// Where providers list what they have done.
    listings: BTreeMap<Component, String>,
    control: Option<Control>,
    api: Api,
    /// One that waits for long answers.
    patient: Api,
}

/// What the services answered at one time, or why they did not.
pub type Look = BTreeMap<Component, Answer>;
/// Where a service stands, or why it does not say.
pub type Answer = Result<Status, String>;
/// Where each service stands.
pub type Statuses = BTreeMap<Component, Status>;

/// What was seen of a suite that was given time to come to rest.
#[derive(Debug)]
pub enum Seen<S> {
    /// Nothing happens, and all stands so.
    Still(Still<S>),
    /// It is not at rest: why, a line each.
    Moving(Vec<String>),
}

/// A suite at one moment.
#[derive(Debug)]
pub struct Still<S> {
    /// What was collected of it.
    pub collected: S,
    /// Where its services stood meanwhile.
    pub statuses: Statuses,
}

/// What the services say, and since when they have been saying it.
struct Since {
    look: Look,
    at: Instant,
}

impl Rest {
    /// Of the suite that `up.json` describes.
    ///
    /// # Errors
    /// When the clients cannot be set up.
    pub fn of(suite: &Suite, api: Api) -> Result<Self> {
        let services = suite.services.iter();
        let services = services.map(|(&name, it)| {
            (name, it.replicas.iter().map(|replica| replica.admin_url.clone()).collect())
        });
        let control = suite.control.as_deref().map(Control::at).transpose()?;
        let patient = Api::waiting(LONG_ANSWER)?;
        let (services, listings) = (services.collect(), BTreeMap::new());
        Ok(Self { services, listings, control, api, patient })
    }

    /// The same, with what the providers list, as the manifest says where.
    #[must_use]
    pub fn with_providers(mut self, suite: &Suite, manifest: &Manifest) -> Self {
        let listing = |(name, provider): (&Component, &Provider)| {
            let path = manifest.provider(*name)?.rows.as_ref()?;
            Some((*name, format!("{}{path}", provider.url)))
        };
        self.listings = suite.providers.iter().filter_map(listing).collect();
        self
    }

    /// Waits so long at most until nothing happens, and collects what there is then.
    pub async fn wait<S>(
        &self,
        wait: Duration,
        ui: &Ui,
        collect: impl AsyncFn() -> Result<S, String>,
    ) -> Seen<S> {
        let give_up = Instant::now() + wait;
        let mut since = Since { look: Look::new(), at: Instant::now() };
        let mut progress = None;
        loop {
            let look = self.look().await;
            since.note(&look, Instant::now());
            let mut waiting = waiting(&look);
            if waiting.is_empty() {
                match self.still(&collect, Status::is_quiet).await {
                    Ok(Some(still)) => return Seen::Still(still),
                    Ok(None) => waiting.push("events are still being handled".to_owned()),
                    Err(why) => waiting.push(why),
                }
            }
            if Instant::now() >= give_up {
                // What is stuck for good is not on its way any more.
                if since.is_stuck(Instant::now())
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

    /// Waits so long at most until nothing happens; looks at the queues alone, which costs the
    /// services little.
    ///
    /// # Errors
    /// Which services are still at work then, a line each.
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

    /// What all services say now.
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

    /// Why a process does not answer, as the launcher knows it, else as the error says.
    pub async fn why_silent(&self, member: Member, error: &http::Error) -> String {
        let why = self.why_down(member.component).await;
        why.unwrap_or_else(|| format!("{member} does not answer: {}", error.why()))
    }

    /// Why a component does not run, if nothing but the user will start it.
    pub async fn why_down(&self, component: Component) -> Option<String> {
        self.control.as_ref()?.launcher().await.ok()?.why_down(component)
    }

    /// What was collected at one moment, at which all services stood so; `None` if something happened.
    async fn still<S>(
        &self,
        collect: impl AsyncFn() -> Result<S, String>,
        stands: fn(&Status) -> bool,
    ) -> Result<Option<Still<S>>, String> {
        let before = self.look().await;
        let collected = collect().await?;
        // The same figures: the queues are as they were, and no batch was committed in between.
        if before != self.look().await {
            return Ok(None);
        }
        let statuses: Result<Statuses, String> =
            before.into_iter().map(|(name, answer)| Ok((name, answer?))).collect();
        let statuses = statuses?;
        let stood = statuses.values().all(stands);
        Ok(stood.then_some(Still { collected, statuses }))
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
        let quiet = |answer: &Answer| answer.as_ref().is_ok_and(Status::has_nothing_to_wait_for);
        let holds = |answer: &Answer| {
            answer.as_ref().is_ok_and(|it| it.outbox.depth > 0 || it.parked.depth > 0)
        };
        now.duration_since(self.at) >= STUCK
            && self.look.values().all(quiet)
            && self.look.values().any(holds)
    }
}

/// The same figures at two times: no batch was committed in between.
#[must_use]
pub fn answers(look: &Look) -> BTreeMap<Component, &Status> {
    look.iter().filter_map(|(name, answer)| Some((*name, answer.as_ref().ok()?))).collect()
}

/// Which services are not quiet, and why.
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
    fn a_service_that_waits_is_named_with_what_for() {
        assert!(waiting(&look(Ok(status(|_| {})))).is_empty());
        let busy = status(|it| (it.outbox, it.effects, it.lag) = (SOME, SOME, Some(7)));
        assert_eq!(waiting(&look(Ok(busy))), ["flights: outbox 2, effects 2, lag 7"]);
        let alone = status(|it| it.lag = None);
        assert_eq!(waiting(&look(Ok(alone))), ["flights: the broker does not answer"]);
        let silent = Err("flights does not answer".to_owned());
        assert_eq!(waiting(&look(silent)), ["flights does not answer"]);
    }

    fn after(flights: Status, pause: Duration) -> bool {
        let now = Instant::now();
        let mut since = Since { look: Look::new(), at: now };
        since.note(&look(Ok(flights)), now);
        since.note(&look(Ok(flights)), now + pause);
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
        assert!(!after(asks, STUCK), "a provider is still asked");
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
