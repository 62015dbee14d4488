//! Keeps the programs alive: a keeper for each, one control socket for all.

mod backoff;
mod control;
mod keeper;
mod process;

pub(crate) use control::{listen as listen_for_control, serve as serve_control};
pub(crate) use keeper::Phase;
pub(crate) use process::{Launch, tail};
pub use process::{alive, ending, signal};

use crate::component::{Component, Member};
use crate::http::Api;
use crate::suite::{Suite, SuiteFile};
use crate::ui::Ui;
use futures::future::{join_all, try_join_all};
use keeper::{Keeper, Wish};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};

/// How long a program may take to get ready.
const READY_WITHIN: Duration = Duration::from_mins(1);
const READY_POLL: Duration = Duration::from_millis(50);

/// The keepers of a suite's programs.
#[derive(Debug)]
pub(crate) struct Supervisor {
    kept: BTreeMap<Member, Kept>,
    suite: Arc<SuiteFile>,
    hurry: watch::Sender<bool>,
    closing: AtomicBool,
    api: Api,
}

#[derive(Debug)]
struct Kept {
    wishes: mpsc::Sender<Wish>,
    phase: watch::Receiver<Phase>,
    log: PathBuf,
}

/// A program that did not get ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    /// It will not be tried again by itself.
    #[error("{member} {why}; its log, {}, ends:\n{}", log.display(), tail(log))]
    Down { member: Member, why: String, log: PathBuf },
    /// It takes too long.
    #[error("{member} is not ready after {} s; its log, {}, ends:\n{}", READY_WITHIN.as_secs(), log.display(), tail(log))]
    TooLong { member: Member, log: PathBuf },
}

impl Supervisor {
    /// Takes programs into care; nothing is started yet.
    pub(crate) fn new(launches: Vec<Launch>, suite: Arc<SuiteFile>, ui: &Ui, api: Api) -> Self {
        let (hurry, hurried) = watch::channel(false);
        let kept = launches
            .into_iter()
            .map(|launch| {
                let (member, log) = (launch.member, launch.log.clone());
                let (wishes, receiver) = mpsc::channel(1);
                let (sender, phase) = watch::channel(Phase::Stopped);
                let suite = Arc::clone(&suite);
                let keeper = Keeper::new(launch, sender, suite, ui.clone(), hurried.clone());
                tokio::spawn(keeper.run(receiver));
                (member, Kept { wishes, phase, log })
            })
            .collect();
        Self { kept, suite, hurry, closing: AtomicBool::new(false), api }
    }

    /// What runs where.
    pub(crate) fn suite(&self) -> Suite {
        self.suite.snapshot()
    }

    /// The programs of which nothing runs that anybody but the user will start, and why.
    pub(crate) fn left_down(&self) -> BTreeMap<Component, String> {
        let why = |kept: &Kept| match &*kept.phase.borrow() {
            Phase::Stopped => Some("is stopped".to_owned()),
            Phase::Down { why } => Some(why.clone()),
            Phase::Running | Phase::BackingOff => None,
        };
        let whole = |component| {
            let whys: Option<Vec<String>> =
                self.members(component).map(|(_, kept)| why(kept)).collect();
            Some((component, whys?.into_iter().next()?))
        };
        self.suite().components().filter_map(whole).collect()
    }

    /// The processes of a program.
    fn members(&self, component: Component) -> impl Iterator<Item = (Member, &Kept)> {
        let kept = self.kept.iter().map(|(member, kept)| (*member, kept));
        kept.filter(move |(member, _)| member.component == component)
    }

    /// Starts those of a program's processes that do not run; returns at once.
    pub(crate) async fn start(&self, component: Component) {
        if self.closing.load(Ordering::SeqCst) {
            return;
        }
        self.wish(component, |done| Wish::Start { done }).await;
    }

    /// Stops all processes of a program, and returns when they are gone.
    pub(crate) async fn stop(&self, component: Component) {
        self.wish(component, |done| Wish::Stop { done }).await;
    }

    /// Stops the services together, then the providers that they may still be asking, for good.
    pub(crate) async fn stop_all(&self) {
        self.closing.store(true, Ordering::SeqCst);
        let suite = self.suite();
        join_all(suite.services.keys().map(|service| self.stop(*service))).await;
        join_all(suite.providers.keys().map(|provider| self.stop(*provider))).await;
    }

    /// From now on nothing is waited for: what is being stopped is killed.
    pub(crate) fn hurry(&self) {
        self.hurry.send_replace(true);
    }

    /// Waits until all processes of a started program answer that they are ready.
    ///
    /// # Errors
    /// When one is down for good, or takes more than a minute.
    pub(crate) async fn ready(&self, component: Component) -> Result<(), NotReady> {
        let members = self.members(component);
        try_join_all(members.map(|(member, kept)| self.is_ready(member, kept))).await.map(drop)
    }

    async fn is_ready(&self, member: Member, kept: &Kept) -> Result<(), NotReady> {
        let url = format!("{}/health/ready", self.suite().url(member));
        let give_up = Instant::now() + READY_WITHIN;
        loop {
            let phase = kept.phase.borrow().clone();
            let log = || kept.log.clone();
            match phase {
                Phase::Down { why } => {
                    return Err(NotReady::Down { member, why, log: log() });
                }
                Phase::Stopped => {
                    let why = "was stopped meanwhile".to_owned();
                    return Err(NotReady::Down { member, why, log: log() });
                }
                Phase::Running => {
                    if timeout_at(give_up, self.api.is_ok(&url)).await.unwrap_or(false) {
                        return Ok(());
                    }
                }
                Phase::BackingOff => {}
            }
            if Instant::now() >= give_up {
                return Err(NotReady::TooLong { member, log: log() });
            }
            sleep(READY_POLL).await;
        }
    }

    async fn wish(&self, component: Component, wish: impl Fn(oneshot::Sender<()>) -> Wish) {
        let wished = self.members(component).map(|(_, kept)| async {
            let (done, granted) = oneshot::channel();
            // Keepers end only with the launcher, and then nobody is left to be told.
            if kept.wishes.send(wish(done)).await.is_ok() {
                let _ = granted.await;
            }
        });
        join_all(wished).await;
    }
}
