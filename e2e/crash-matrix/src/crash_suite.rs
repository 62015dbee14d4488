use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use audit::{Report, Snapshot, Status};
use contracts::OrderId;
use crash::{Armed, Folder};
use futures::future::join_all;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use scenarios::{Answer, Backend, Options, TestSuite, services};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take. On Kafka each death costs the six seconds of a session.
pub(crate) const PATIENCE: Duration = Duration::from_mins(20);
/// The pause between two evaluations of a condition.
pub(crate) const POLL: Duration = Duration::from_millis(50);
/// How long one request may take. The service may die while it handles the request.
const TRY_WITHIN: Duration = Duration::from_secs(5);
/// How long the answer of the supervisor is waited for. It answers only when the service is ready, but need not be listened to:
/// it has begun the start by then.
const START_WITHIN: Duration = Duration::from_millis(300);

/// A suite whose services die at armed cells and are restarted at once.
pub(crate) struct CrashSuite {
    suite: TestSuite,
    http: Client,
    /// The files with the cells that are armed and that have fired.
    pub(crate) armed: Folder,
    _files: TempDir,
    /// The services that must not be restarted.
    stopped: RefCell<BTreeSet<&'static str>>,
    /// The orders that were answered with 202.
    accepted: RefCell<Vec<OrderId>>,
}

impl CrashSuite {
    /// Starts a suite with these environment variables.
    pub(crate) fn new(backend: &Backend, variables: &[(&str, &str)]) -> Result<Self> {
        let files = tempfile::Builder::new().prefix("quintet-crash-").tempdir();
        let files = files.context("cannot create a temporary folder")?;
        let mut options = Options::on(backend).crash_points(files.path());
        for service in services() {
            // Another process takes over a request of a dead one after three times this time.
            let name = format!("QUINTET_{}__EFFECTS__TIMEOUT", service.to_uppercase());
            options = options.env(&name, "1s");
        }
        for (name, value) in variables {
            options = options.env(name, value);
        }
        Ok(Self {
            suite: TestSuite::start(options),
            http: Client::builder().no_proxy().timeout(TRY_WITHIN).build()?,
            armed: Folder::at(files.path()),
            _files: files,
            stopped: RefCell::default(),
            accepted: RefCell::default(),
        })
    }

    /// Arms these cells, for processes that start from now on.
    pub(crate) fn arm(&self, cells: &[Armed]) -> Result<()> {
        self.armed.arm(cells).context("cannot arm the cells")
    }

    /// Stops services, and leaves them down until [`Self::start`].
    pub(crate) async fn stop(&self, services: &[&'static str]) {
        self.stopped.borrow_mut().extend(services);
        join_all(services.iter().map(|service| self.suite.stop_program(service))).await;
    }

    /// Lets [`Self::restart_dead_during`] start services, together with those that have died.
    pub(crate) fn start(&self, services: &[&'static str]) {
        self.stopped.borrow_mut().retain(|service| !services.contains(service));
    }

    /// Runs `work`. Meanwhile starts services that do not run, and calls `look` before each time. The supervisor would restart
    /// them too, but it waits the longer the more often a service dies.
    pub(crate) async fn restart_dead_during<T>(
        &self,
        work: impl Future<Output = Result<T>>,
        look: impl Fn(),
    ) -> Result<T> {
        tokio::select! {
            result = work => result,
            () = self.restart_dead(look) => unreachable!("restarting never ends by itself"),
        }
    }

    async fn restart_dead(&self, look: impl Fn()) {
        let socket = self.suite.up_json_text("/control");
        let launcher = reqwest::Client::builder().unix_socket(socket).build();
        let launcher = launcher.expect("a client of the control socket");
        loop {
            look();
            for service in services() {
                if self.suite.pid(service).is_none() && !self.stopped.borrow().contains(service) {
                    let request = launcher.post(format!("http://launcher/start/{service}"));
                    let _ = timeout(START_WITHIN, request.send()).await;
                }
            }
            sleep(POLL).await;
        }
    }

    /// Repeats a request until the answer has one of these statuses. The service may die while it handles the request.
    pub(crate) async fn ask(
        &self,
        request: impl Fn() -> RequestBuilder,
        statuses: &[StatusCode],
    ) -> Result<Answer> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let answer = Answer::to(request()).await;
            if let Some(answer) = answer.as_ref().filter(|answer| statuses.contains(&answer.status))
            {
                return Ok(answer.clone());
            }
            ensure!(
                Instant::now() < give_up,
                "no answer {statuses:?} in {PATIENCE:?}; the last was {answer:?}"
            );
            sleep(POLL).await;
        }
    }

    /// Reads a URL until its JSON meets a condition, which `description` names.
    pub(crate) async fn until(
        &self,
        description: &str,
        url: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let answer = Answer::to(self.http.get(url)).await;
            let is_met =
                |answer: &Answer| answer.status == StatusCode::OK && condition(&answer.body);
            if answer.as_ref().is_some_and(is_met) {
                return Ok(());
            }
            ensure!(
                Instant::now() < give_up,
                "waited {PATIENCE:?} in vain until {description}; the last answer was {answer:?}"
            );
            sleep(POLL).await;
        }
    }

    /// Begins a request to a service's public listener.
    pub(crate) fn request(&self, method: Method, service: &str, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(service, path))
    }

    /// Begins a request to a service's admin listener.
    pub(crate) fn admin(&self, method: Method, service: &str, path: &str) -> RequestBuilder {
        let url = self.suite.up_json_text(&format!("/{service}/admin_url"));
        self.http.request(method, format!("{url}{path}"))
    }

    /// The URL of a service's status.
    pub(crate) fn status(&self, service: &str) -> String {
        format!("{}/admin/status", self.suite.up_json_text(&format!("/{service}/admin_url")))
    }

    /// The URL of a path at a service's public listener.
    pub(crate) fn url(&self, service: &str, path: &str) -> String {
        format!("{}{path}", self.suite.up_json_text(&format!("/{service}/url")))
    }

    /// Remembers an order that was answered with 202, for the audit.
    pub(crate) fn accepted(&self, order: OrderId) {
        self.accepted.borrow_mut().push(order);
    }

    /// Waits until the queues of these services are empty, at two readings between which no batch was committed.
    pub(crate) async fn until_quiet(&self, services: &[&str]) -> Result<()> {
        let (give_up, mut before) = (Instant::now() + PATIENCE, None);
        loop {
            let statuses = self.statuses(services).await;
            let quiet = statuses.filter(|all| all.iter().all(Status::is_quiet));
            let batches =
                quiet.map(|all| all.iter().map(|status| status.batches).collect::<Vec<_>>());
            if batches.is_some() && batches == before {
                return Ok(());
            }
            ensure!(Instant::now() < give_up, "{services:?} are not quiet after {PATIENCE:?}");
            before = batches;
            sleep(POLL * 4).await;
        }
    }

    /// The statuses of these services; `None` unless all of them answer.
    async fn statuses(&self, services: &[&str]) -> Option<Vec<Status>> {
        let mut statuses = Vec::new();
        for service in services {
            let answer = Answer::to(self.http.get(self.status(service))).await?;
            statuses.push(serde_json::from_value(answer.body).ok()?);
        }
        Some(statuses)
    }

    /// Waits until the suite is at rest, takes a snapshot, and audits it against the list of accepted orders.
    pub(crate) async fn audit(&self) -> Result<(Snapshot, Report)> {
        self.until_quiet(&services()).await?;
        let snapshot = audit::collect(&self.http, &self.suite.addresses()).await?;
        let report = audit::audit(&snapshot, Some(&self.accepted.borrow()));
        Ok((snapshot, report))
    }
}
