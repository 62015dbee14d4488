//! `quintet audit`: checks the seven invariants of the order saga on a running suite.
//!
//! Exit code 0: all invariants hold. 1: one is broken. 2: the suite did not come to rest in time. In that case the report
//! names the orders under way, and judges the settled ones if the suite held still for a moment.

pub(crate) mod report;
mod rest;

use anyhow::Result;
use audit::{Report, UnderWay};
use contracts::OrderId;
use quintet_suite::Exit;
use quintet_suite::Session;
use quintet_suite::Suite;
use quintet_suite::http::Api;
use quintet_suite::ui::{self, Ui};
use report::Notes;
use rest::{Auditor, Collected};
use std::process::ExitCode;
use std::time::Duration;

/// The result of an audit.
#[derive(Debug)]
pub(crate) enum AuditResult {
    /// The suite was at rest, so every invariant is judged.
    AtRest(Report),
    /// It was not at rest.
    NotAtRest(Unrest),
}

/// What is known of a suite that is not at rest.
#[derive(Debug, Default)]
pub(crate) struct Unrest {
    /// The services that are still at work, a line each.
    pub(crate) waiting: Vec<String>,
    /// The orders under way, and a report on the others by the programs that answer. `None` if the suite never held still.
    pub(crate) settled: Option<UnderWay>,
}

/// Audits the suite on the data directory.
///
/// # Errors
/// When no suite runs there.
pub(crate) async fn run(session: &Session, wait: Duration) -> Result<ExitCode> {
    let (suite, api) = session.running().await?;
    let result = audit_suite(&suite, api, wait, None).await?;
    let report = if session.json {
        report::json(&result).to_string()
    } else {
        report::text(&result, wait, Notes::Listed)
    };
    ui::result(&report);
    Ok(result.exit_code())
}

/// Waits until the suite is at rest, and audits it. `accepted` is the customers' own list of accepted orders, if there is one:
/// the audit then finds orders that the suite has lost altogether.
///
/// # Errors
/// When the suite cannot be asked at all.
pub(crate) async fn audit_suite(
    suite: &Suite,
    api: Api,
    wait: Duration,
    accepted: Option<&[OrderId]>,
) -> Result<AuditResult> {
    let auditor = Auditor::of(suite, api)?;
    Ok(match auditor.collect(wait, &Ui::default()).await {
        Collected::AtRest(snapshot) => AuditResult::AtRest(audit::audit(&snapshot, accepted)),
        Collected::NotAtRest { waiting, partial } => {
            let settled = partial.and_then(|partial| partial.audit_settled(accepted));
            AuditResult::NotAtRest(Unrest { waiting, settled })
        }
    })
}

impl AuditResult {
    /// Whether the suite was at rest and all invariants hold.
    pub(crate) fn holds(&self) -> bool {
        matches!(self, Self::AtRest(report) if report.holds())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::AtRest(report) if report.holds() => ExitCode::SUCCESS,
            Self::AtRest(_) => Exit::Failed.into(),
            Self::NotAtRest(Unrest { settled: Some(settled), .. }) if !settled.report.holds() => {
                Exit::Failed.into()
            }
            Self::NotAtRest(_) => Exit::Undecided.into(),
        }
    }
}
