//! Everything that `quintet up` does before the first program starts.

use super::Up;
use crate::backend::kafka::Cluster;
use crate::backend::postgres::Server;
use crate::checkout::Checkout;
use crate::datadir::DataDir;
use crate::environment::{self, Plan};
use crate::ports::Ports;
use crate::program::{Member, Program};
use crate::suite::Suite;
use crate::supervisor::{self, Launch};
use crate::ui::Ui;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Services of a launcher that was killed drain for up to 15 s.
const GONE_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// What is to be started, and how.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub(crate) plan: Plan<'a>,
    pub(crate) in_checkout: bool,
    executables: PathBuf,
}

/// Builds, waits for servers, checks ports, and wipes what is to be fresh.
///
/// # Errors
/// What is in the way.
pub(crate) async fn prepare<'a>(up: &Up, dir: &'a DataDir, ui: &Ui) -> Result<Prepared<'a>> {
    let plan = plan(up, dir)?;
    check_replicas(&plan)?;
    let executable = std::env::current_exe().context("cannot tell where `quintet` lies")?;
    let executables = executable.parent().unwrap_or(Path::new("/")).to_owned();
    let checkout = Checkout::of(&executable);
    if let Some(checkout) = checkout.as_ref().filter(|_| !up.no_build) {
        checkout.build(ui).await?;
    }
    check_executables(&executables)?;
    wait_for_predecessors(dir, ui).await;
    plan.ports.check_free(plan.replicas)?;
    for warning in plan.ignored() {
        ui.warn(&warning);
    }
    if let Some(server) = &up.postgres {
        Server::at(server, &up.namespace)?.prepare(up.fresh, ui).await?;
    }
    if let Some(brokers) = &up.brokers {
        Cluster::at(brokers, &up.namespace)?.prepare(up.fresh, ui).await?;
    }
    if up.fresh {
        dir.wipe()?;
    }
    Ok(Prepared { plan, in_checkout: checkout.is_some(), executables })
}

impl Prepared<'_> {
    /// How each program is started.
    pub(crate) fn launches(&self) -> Vec<Launch> {
        let launch = |member: Member| Launch {
            member,
            executable: self.executables.join(member.program.binary()),
            variables: self.plan.variables(member),
            log: self.plan.dir.log(member),
            shown_log: self.plan.dir.shown_log(member),
        };
        Member::all(self.plan.replicas).map(launch).collect()
    }
}

fn plan<'a>(up: &Up, dir: &'a DataDir) -> Result<Plan<'a>> {
    let mut databases: BTreeMap<Program, String> = match &up.postgres {
        Some(server) => Server::at(server, &up.namespace)?.databases(),
        None => Program::SERVICES
            .map(|service| (service, format!("sqlite:{}", dir.database(service).display())))
            .into(),
    };
    for service in Program::SERVICES {
        if let Some(url) = environment::users_database(service)? {
            databases.insert(service, url);
        }
    }
    let bus_url = match &up.brokers {
        Some(brokers) => format!("kafka:{brokers}"),
        None => format!("log:{}", dir.bus().display()),
    };
    let (namespace, replicas) = (up.namespace.clone(), up.replicas);
    Ok(Plan { dir, ports: Ports::from(up.port), databases, bus_url, namespace, replicas })
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

fn check_executables(folder: &Path) -> Result<()> {
    for program in Program::ALL {
        let path = folder.join(program.binary());
        if !path.is_file() {
            bail!("{} is missing: it belongs beside `quintet`", path.display());
        }
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
