//! Everything that `quintet up` does before the first program starts.

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

/// Services of a launcher that was killed drain for up to 15 s.
const GONE_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// What is to be started, and how.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    pub(super) plan: Plan<'a>,
    /// The running program.
    executable: PathBuf,
}

/// What the user asked for, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site<'a> {
    pub(super) up: &'a Up,
    pub(super) manifest: &'static Manifest,
    pub(super) session: &'a Session,
    pub(super) dir: &'a DataDir,
}

/// Waits for servers, checks ports, and wipes what is to be fresh.
///
/// # Errors
/// What is in the way.
pub(super) async fn prepare<'a>(site: Site<'a>, ui: &Ui) -> Result<Prepared<'a>> {
    let Site { up, manifest, dir, .. } = site;
    let plan = site.plan()?;
    check_replicas(&plan)?;
    // Now, as the file may be replaced while the suite runs.
    let executable = std::env::current_exe().context("cannot tell where this program lies")?;
    let prepared = Prepared { plan, executable };
    prepared.check_programs(site.session)?;
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
        site.cluster(brokers)?.prepare(up.fresh, ui).await?;
    }
    if up.fresh {
        dir.wipe(manifest)?;
    }
    Ok(prepared)
}

impl Prepared<'_> {
    /// How each program is started.
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

    /// A program that the manifest names by its path must be there, and one that it does not name must be this one.
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

impl<'a> Site<'a> {
    fn plan(self) -> Result<Plan<'a>> {
        let Self { up, manifest, dir, .. } = self;
        let file = |it: Component| (it, format!("sqlite:{}", dir.database(it).display()));
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

    /// The topics are those of the program's contract, the groups those of the manifest.
    fn cluster(self, brokers: &str) -> Result<Cluster> {
        let session = Session { manifest: self.manifest, ..self.session.clone() };
        Cluster::at(brokers, &session, &self.up.namespace)
    }
}

/// A file has one writer, and a group on the log one member.
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

/// The programs of a launcher that was killed end by themselves, but not at once.
async fn wait_for_predecessors(dir: &DataDir, ui: &Ui) {
    // Whatever an unreadable file says, it will be overwritten.
    let Ok(Some(stale)) = Suite::read(dir) else {
        return;
    };
    let remain = || stale.pids().into_iter().any(supervisor::alive);
    if !remain() {
        return;
    }
    let _progress = ui.spinner("waiting for the programs of the previous suite to end");
    let give_up = Instant::now() + GONE_WITHIN;
    while remain() && Instant::now() < give_up {
        sleep(POLL).await;
    }
}
