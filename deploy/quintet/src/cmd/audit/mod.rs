//! `quintet audit`: exit code 0 when everything is as promised, 1 when it is not, 2 when the suite
//! is not at rest: then the orders under way are named, and the others judged where that can be done.

pub(crate) mod report;
mod rest;

use anyhow::Result;
use audit::{Report, UnderWay};
use contracts::OrderId;
use quintet_suite::Session;
use quintet_suite::Suite;
use quintet_suite::http::Api;
use quintet_suite::ui::{self, Ui};
use report::Notes;
use rest::{Auditor, Finding};
use std::process::ExitCode;
use std::time::Duration;

const BROKEN: u8 = 1;
const NOT_AT_REST: u8 = 2;

/// What an audit comes to.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The suite stood still, and this is how it stands.
    Judged(Report),
    /// It did not.
    NotAtRest(Unrest),
}

/// What there is to say of a suite that is not at rest.
#[derive(Debug, Default)]
pub(crate) struct Unrest {
    /// The services that are still at work, a line each.
    pub(crate) waiting: Vec<String>,
    /// The orders under way, and the judgement of the others, as far as the programs that answer tell; none where the
    /// suite did not hold still.
    pub(crate) settled: Option<UnderWay>,
}

/// Audits the suite on the data directory.
///
/// # Errors
/// When it cannot be asked at all.
pub(crate) async fn run(session: &Session, wait: Duration) -> Result<ExitCode> {
    let (suite, api) = session.running().await?;
    let verdict = verdict(&suite, api, wait, None).await?;
    let told = if session.json {
        report::json(&verdict).to_string()
    } else {
        report::text(&verdict, wait, Notes::Listed)
    };
    ui::result(&told);
    Ok(verdict.exit_code())
}

/// Waits for rest and judges what there is then, also by the customers' own list of orders that
/// were accepted, if there is one.
///
/// # Errors
/// When the suite cannot be asked at all.
pub(crate) async fn verdict(
    suite: &Suite,
    api: Api,
    wait: Duration,
    accepted: Option<&[OrderId]>,
) -> Result<Verdict> {
    let auditor = Auditor::of(suite, api)?;
    Ok(match auditor.wait(wait, &Ui::default()).await {
        Finding::Still(snapshot) => Verdict::Judged(audit::audit(&snapshot, accepted)),
        Finding::Moving(waiting, part) => {
            let settled = part.and_then(|part| part.settled(accepted));
            Verdict::NotAtRest(Unrest { waiting, settled })
        }
    })
}

impl Verdict {
    /// Whether all is as promised.
    pub(crate) fn holds(&self) -> bool {
        matches!(self, Self::Judged(report) if report.holds())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Judged(report) if report.holds() => ExitCode::SUCCESS,
            Self::Judged(_) => BROKEN.into(),
            Self::NotAtRest(Unrest { settled: Some(settled), .. }) if !settled.report.holds() => {
                BROKEN.into()
            }
            Self::NotAtRest(_) => NOT_AT_REST.into(),
        }
    }
}
