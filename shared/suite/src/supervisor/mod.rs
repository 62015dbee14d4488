//! Keeps the processes of a suite alive. Each has a keeper, a task of its own. The control socket takes orders for all of
//! them.

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
use keeper::{Keeper, Order};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};

/// How long a process may take to get ready.
const READY_WITHIN: Duration = Duration::from_mins(1);
const READY_POLL: Duration = Duration::from_millis(50);

/// The supervisor of a suite.
#[derive(Debug)]
pub(crate) struct Supervisor {
    supervised: BTreeMap<Member, Supervised>,
    suite: Arc<SuiteFile>,
    /// Turns true when processes that are being stopped shall be killed at once.
    hurry: watch::Sender<bool>,
    /// Whether the whole suite is being stopped. No process may be started then.
    closing: AtomicBool,
    api: Api,
}

/// A process and its keeper.
#[derive(Debug)]
struct Supervised {
    orders: mpsc::Sender<Order>,
    phase: watch::Receiver<Phase>,
    log: PathBuf,
}

/// A process did not get ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    /// It is down, and will not be started again by itself.
    #[error("{member} {why}; its log, {}, ends:\n{}", log.display(), tail(log))]
    Down { member: Member, why: String, log: PathBuf },
    /// It takes too long.
    #[error("{member} is not ready after {} s; its log, {}, ends:\n{}", READY_WITHIN.as_secs(), log.display(), tail(log))]
    TooLong { member: Member, log: PathBuf },
}

impl Supervisor {
    /// Spawns a keeper for each process. No process is started yet.
    pub(crate) fn new(launches: Vec<Launch>, suite: Arc<SuiteFile>, ui: &Ui, api: Api) -> Self {
        let (hurry, hurried) = watch::channel(false);
        let supervised = launches
            .into_iter()
            .map(|launch| {
                let (member, log) = (launch.member, launch.log.clone());
                let (orders, receiver) = mpsc::channel(1);
                let (sender, phase) = watch::channel(Phase::Stopped);
                let suite = Arc::clone(&suite);
                let keeper = Keeper::new(launch, sender, suite, ui.clone(), hurried.clone());
                tokio::spawn(keeper.run(receiver));
                (member, Supervised { orders, phase, log })
            })
            .collect();
        Self { supervised, suite, hurry, closing: AtomicBool::new(false), api }
    }

    /// What runs where.
    pub(crate) fn suite(&self) -> Suite {
        self.suite.snapshot()
    }

    /// The components of which all processes are down until the user starts them, and the reason of the first.
    pub(crate) fn left_down(&self) -> BTreeMap<Component, String> {
        let why = |process: &Supervised| match &*process.phase.borrow() {
            Phase::Stopped => Some("is stopped".to_owned()),
            Phase::Down { why } => Some(why.clone()),
            Phase::Running | Phase::BackingOff => None,
        };
        let if_all_down = |component| {
            let whys: Option<Vec<String>> =
                self.members(component).map(|(_, process)| why(process)).collect();
            Some((component, whys?.into_iter().next()?))
        };
        self.suite().components().filter_map(if_all_down).collect()
    }

    /// The processes of a component.
    fn members(&self, component: Component) -> impl Iterator<Item = (Member, &Supervised)> {
        let all = self.supervised.iter().map(|(member, process)| (*member, process));
        all.filter(move |(member, _)| member.component == component)
    }

    /// Starts the processes of a component that do not run. It does not wait until they are ready.
    pub(crate) async fn start(&self, component: Component) {
        if self.closing.load(Ordering::SeqCst) {
            return;
        }
        self.order(component, |done| Order::Start { done }).await;
    }

    /// Stops all processes of a component, and waits until they have ended.
    pub(crate) async fn stop(&self, component: Component) {
        self.order(component, |done| Order::Stop { done }).await;
    }

    /// Stops the whole suite for good: all services at once, and then the providers, because services that drain may still
    /// send them requests.
    pub(crate) async fn stop_all(&self) {
        self.closing.store(true, Ordering::SeqCst);
        let suite = self.suite();
        join_all(suite.services.keys().map(|service| self.stop(*service))).await;
        join_all(suite.providers.keys().map(|provider| self.stop(*provider))).await;
    }

    /// Kills the processes that are being stopped, and from now on all that are stopped, without time to drain.
    pub(crate) fn hurry(&self) {
        self.hurry.send_replace(true);
    }

    /// Waits until all processes of a started component answer that they are ready.
    ///
    /// # Errors
    /// If one of them is down, or takes more than a minute.
    pub(crate) async fn ready(&self, component: Component) -> Result<(), NotReady> {
        let members = self.members(component);
        try_join_all(members.map(|(member, process)| self.is_ready(member, process)))
            .await
            .map(drop)
    }

    async fn is_ready(&self, member: Member, process: &Supervised) -> Result<(), NotReady> {
        let url = format!("{}/health/ready", self.suite().url(member));
        let give_up = Instant::now() + READY_WITHIN;
        loop {
            let phase = process.phase.borrow().clone();
            let log = || process.log.clone();
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

    /// Gives an order to all processes of a component, and waits until it is carried out.
    async fn order(&self, component: Component, order: impl Fn(oneshot::Sender<()>) -> Order) {
        let ordered = self.members(component).map(|(_, process)| async {
            let (done, is_done) = oneshot::channel();
            // A keeper ends only when the supervisor is dropped, so these errors cannot occur while `self` is borrowed.
            if process.orders.send(order(done)).await.is_ok() {
                let _ = is_done.await;
            }
        });
        join_all(ordered).await;
    }
}
