use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use audit::{Report, Snapshot, Status};
use contracts::OrderId;
use crash::{Armed, Folder};
use futures::future::join_all;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use scenarios::{Answer, Backend, Options, Suite, services};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take; on Kafka each death costs the six seconds of a session.
pub(crate) const PATIENCE: Duration = Duration::from_mins(20);
/// The pause between two looks.
pub(crate) const POLL: Duration = Duration::from_millis(50);
/// How long one request may take: who is asked may be dying.
const TRY_WITHIN: Duration = Duration::from_secs(5);
/// How long the supervisor is listened to when it is asked to start somebody at once.
const ASK_WITHIN: Duration = Duration::from_millis(300);

/// A suite of which somebody dies all the time.
pub(crate) struct Stage {
    suite: Suite,
    http: Client,
    /// What is armed, and what has fired.
    pub(crate) armed: Folder,
    _files: TempDir,
    /// Whoever is to stay down.
    down: RefCell<BTreeSet<&'static str>>,
    /// The orders that were answered with 202.
    accepted: RefCell<Vec<OrderId>>,
}

impl Stage {
    /// Starts one, with these variables on top.
    pub(crate) fn start(backend: &Backend, variables: &[(&str, &str)]) -> Result<Self> {
        let files = tempfile::Builder::new().prefix("quintet-crash-").tempdir();
        let files = files.context("a temporary folder")?;
        let mut options = Options::on(backend).crash_points(files.path());
        for service in services() {
            // What a dead process has claimed is taken over after three times as long.
            let name = format!("QUINTET_{}__EFFECTS__TIMEOUT", service.to_uppercase());
            options = options.env(&name, "1s");
        }
        for (name, value) in variables {
            options = options.env(name, value);
        }
        Ok(Self {
            suite: Suite::start(options),
            http: Client::builder().no_proxy().timeout(TRY_WITHIN).build()?,
            armed: Folder::at(files.path()),
            _files: files,
            down: RefCell::default(),
            accepted: RefCell::default(),
        })
    }

    /// Arms these cells, for whoever starts from now on.
    pub(crate) fn arm(&self, cells: &[Armed]) -> Result<()> {
        self.armed.arm(cells).context("arming the cells")
    }

    /// Has the supervisor stop these, and leaves them down.
    pub(crate) async fn stop(&self, services: &[&'static str]) {
        self.down.borrow_mut().extend(services);
        join_all(services.iter().map(|service| self.suite.stop(service))).await;
    }

    /// Has these started.
    pub(crate) fn begin(&self, services: &[&'static str]) {
        self.down.borrow_mut().retain(|service| !services.contains(service));
    }

    /// Starts whoever died, at once: the supervisor alone takes the longer the more often they die.
    /// Calls `look` between. Never ends.
    async fn nurse(&self, look: impl Fn()) {
        let socket = self.suite.says("/control");
        let launcher = reqwest::Client::builder().unix_socket(socket).build();
        let launcher = launcher.expect("a client of the control socket");
        loop {
            look();
            for service in services() {
                if self.suite.pid(service).is_none() && !self.down.borrow().contains(service) {
                    let request = launcher.post(format!("http://launcher/start/{service}"));
                    let _ = timeout(ASK_WITHIN, request.send()).await;
                }
            }
            sleep(POLL).await;
        }
    }

    /// Asks until there is an answer of these; whoever is asked may die of it.
    pub(crate) async fn ask(
        &self,
        request: impl Fn() -> RequestBuilder,
        answers: &[StatusCode],
    ) -> Result<Answer> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let answer = Answer::to(request()).await;
            if let Some(answer) = answer.as_ref().filter(|it| answers.contains(&it.status)) {
                return Ok(answer.clone());
            }
            ensure!(
                Instant::now() < give_up,
                "no answer for {PATIENCE:?}, the last was {answer:?}"
            );
            sleep(POLL).await;
        }
    }

    /// Asks until what is said is `so`.
    pub(crate) async fn until(
        &self,
        what: &str,
        url: &str,
        so: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let answer = Answer::to(self.http.get(url)).await;
            if answer.as_ref().is_some_and(|it| it.status == StatusCode::OK && so(&it.body)) {
                return Ok(());
            }
            ensure!(Instant::now() < give_up, "in vain for {PATIENCE:?}: {what}; it is {answer:?}");
            sleep(POLL).await;
        }
    }

    /// A request to a service's public listener, to be completed.
    pub(crate) fn request(&self, method: Method, service: &str, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(service, path))
    }

    /// A request to a service's admin listener, to be completed.
    pub(crate) fn admin(&self, method: Method, service: &str, path: &str) -> RequestBuilder {
        let url = self.suite.says(&format!("/{service}/admin_url"));
        self.http.request(method, format!("{url}{path}"))
    }

    /// Where a service says how much waits at it.
    pub(crate) fn status(&self, service: &str) -> String {
        format!("{}/admin/status", self.suite.says(&format!("/{service}/admin_url")))
    }

    /// Where a service says something.
    pub(crate) fn url(&self, service: &str, path: &str) -> String {
        format!("{}{path}", self.suite.says(&format!("/{service}/url")))
    }

    /// Keeps the promise of a 202.
    pub(crate) fn accepted(&self, order: OrderId) {
        self.accepted.borrow_mut().push(order);
    }

    /// Waits until nothing waits at these, twice in a row.
    pub(crate) async fn until_quiet(&self, services: &[&str]) -> Result<()> {
        let (give_up, mut before) = (Instant::now() + PATIENCE, None);
        loop {
            let statuses = self.statuses(services).await;
            let quiet = statuses.filter(|all| all.iter().all(Status::is_quiet));
            let turns = quiet.map(|all| all.iter().map(|status| status.turns).collect::<Vec<_>>());
            if turns.is_some() && turns == before {
                return Ok(());
            }
            ensure!(Instant::now() < give_up, "something happens for {PATIENCE:?} at {services:?}");
            before = turns;
            sleep(POLL * 4).await;
        }
    }

    /// `None` unless all answer.
    async fn statuses(&self, services: &[&str]) -> Option<Vec<Status>> {
        let mut statuses = Vec::new();
        for service in services {
            let answer = Answer::to(self.http.get(self.status(service))).await?;
            statuses.push(serde_json::from_value(answer.body).ok()?);
        }
        Some(statuses)
    }

    /// Waits for rest; then what everybody says, and the auditor's verdict, against our own list of
    /// accepted orders.
    pub(crate) async fn audit(&self) -> Result<(Snapshot, Report)> {
        self.until_quiet(&services()).await?;
        let snapshot = audit::collect(&self.http, &self.suite.addresses()).await?;
        let report = audit::audit(&snapshot, Some(&self.accepted.borrow()));
        Ok((snapshot, report))
    }

    /// Plays something while whoever dies of it is started again.
    pub(crate) async fn play<T>(
        &self,
        look: impl Fn(),
        what: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            played = what => played,
            () = self.nurse(look) => unreachable!("it is never over"),
        }
    }
}
