//! The steps of `up` before the first program starts: it checks programs and ports, waits for servers and for the processes
//! of a killed launcher, and deletes old data for `--fresh`.

use super::Up;
use crate::backend::kafka::Cluster;
use crate::backend::postgres::Server;
use crate::component::{Component, Member};
use crate::datadir::DataDir;
use crate::environment::{self, Plan};
use crate::manifest::Manifest;
use crate::ports::Ports;
use crate::session::Session;
use crate::suite::Suite;
use crate::supervisor::{self, Launch};
use crate::ui::Ui;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the services of a killed launcher may take to end: they drain for up to 15 s.
const GONE_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// A suite that is ready to be started.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    pub(super) plan: Plan<'a>,
    /// The running program.
    executable: PathBuf,
}

/// The inputs of the preparation: the user's options, the manifest, the session and the data directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inputs<'a> {
    pub(super) up: &'a Up,
    pub(super) manifest: &'static Manifest,
    pub(super) session: &'a Session,
    pub(super) dir: &'a DataDir,
}

/// Prepares the start of a suite. The checks of programs and ports come first, so that `up --fresh` deletes nothing if one fails.
///
/// # Errors
/// The first obstacle.
pub(super) async fn prepare<'a>(inputs: Inputs<'a>, ui: &Ui) -> Result<Prepared<'a>> {
    let Inputs { up, manifest, dir, .. } = inputs;
    let plan = inputs.plan()?;
    check_replicas(&plan)?;
    // The path is read once and now: after a new build has replaced the file, Linux reports it as deleted.
    let executable = std::env::current_exe().context("cannot tell where this program lies")?;
    let prepared = Prepared { plan, executable };
    prepared.check_programs(inputs.session)?;
    let plan = &prepared.plan;
    wait_for_predecessors(dir, ui).await;
    plan.ports.check_free(plan.replicas)?;
    for warning in plan.ignored() {
        ui.warn(&warning);
    }
    if let Some(server) = &up.postgres {
        Server::at(server, manifest, &up.namespace)?.prepare(up.fresh, ui).await?;
    }
    if let Some(brokers) = &up.brokers {
        inputs.cluster(brokers)?.prepare(up.fresh, ui).await?;
    }
    if up.fresh {
        dir.wipe(manifest)?;
    }
    Ok(prepared)
}

impl Prepared<'_> {
    /// The launch of each process.
    pub(super) fn launches(&self) -> Vec<Launch> {
        let Plan { manifest, dir, replicas, .. } = &self.plan;
        let launch = |member: Member| Launch {
            suite: &manifest.name,
            member,
            start: manifest.start(member.component, &self.executable),
            variables: self.plan.variables(member),
            log: dir.log(member),
            shown_log: dir.shown_log(member),
        };
        manifest.members(*replicas).map(launch).collect()
    }

    /// Checks that each program of the manifest exists, and that this program can run the components for which the manifest
    /// names none.
    fn check_programs(&self, session: &Session) -> Result<()> {
        let manifest = self.plan.manifest;
        for component in manifest.components() {
            let program = manifest.start(component, &self.executable).program;
            if program == self.executable && !session.runnable.contains(component.name()) {
                bail!(
                    "this program cannot be {component}: say by `start` in the suite's file how it is started"
                );
            }
            if program.components().count() > 1 && !program.is_file() {
                bail!(
                    "{} is missing: build it, or correct `start` of {component} in the suite's file",
                    program.display()
                );
            }
        }
        Ok(())
    }
}

impl<'a> Inputs<'a> {
    /// Decides on ports, databases and the bus.
    fn plan(self) -> Result<Plan<'a>> {
        let Self { up, manifest, dir, .. } = self;
        let file = |component: Component| {
            (component, format!("sqlite:{}", dir.database(component).display()))
        };
        let mut databases: BTreeMap<Component, String> = match &up.postgres {
            Some(server) => Server::at(server, manifest, &up.namespace)?.databases(),
            None => manifest.services().map(file).collect(),
        };
        for service in manifest.services() {
            if let Some(url) = environment::users_database(&manifest.name, service)? {
                databases.insert(service, url);
            }
        }
        let bus_url = match &up.brokers {
            Some(brokers) => format!("kafka:{brokers}"),
            None => format!("log:{}", dir.bus().display()),
        };
        let (ports, namespace) = (Ports::of(manifest, up.port)?, up.namespace.clone());
        let replicas = up.replicas();
        Ok(Plan { manifest, dir, ports, databases, bus_url, namespace, replicas })
    }

    /// The Kafka cluster, with the topics of the program's contract and the groups of the manifest.
    fn cluster(self, brokers: &str) -> Result<Cluster> {
        let session = Session { manifest: self.manifest, ..self.session.clone() };
        Cluster::at(brokers, &session, &self.up.namespace)
    }
}

/// Refuses several replicas on files: a SQLite database has one writer, and a group on the log has one member.
fn check_replicas(plan: &Plan<'_>) -> Result<()> {
    let on_files = plan.databases.values().any(|url| url.starts_with("sqlite:"));
    if plan.replicas > 1 && (on_files || plan.bus_url.starts_with("log:")) {
        bail!(
            "--replicas {} needs --brokers and --postgres: on SQLite and the log a service is one process",
            plan.replicas
        );
    }
    Ok(())
}

/// Waits until the processes of a killed launcher have ended. They end by themselves, but they drain first.
async fn wait_for_predecessors(dir: &DataDir, ui: &Ui) {
    // A file that cannot be read will be overwritten.
    let Ok(Some(stale)) = Suite::read(dir) else {
        return;
    };
    let any_alive = || stale.pids().into_iter().any(supervisor::alive);
    if !any_alive() {
        return;
    }
    let _progress = ui.spinner("waiting for the programs of the previous suite to end");
    let give_up = Instant::now() + GONE_WITHIN;
    while any_alive() && Instant::now() < give_up {
        sleep(POLL).await;
    }
}
