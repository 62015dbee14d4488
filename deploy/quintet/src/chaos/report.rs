//! The report of a chaos run: the strikes, the promises to customers, and the audit.

use super::action::{Action, ActionKind};
use super::customers::Promises;
use super::plan::Strike;
use crate::cmd::audit::report::Notes;
use crate::cmd::audit::{self, AuditResult};
use console::style;
use contracts::OrderId;
use jiff::SignedDuration;
use quintet_suite::duration;
use quintet_suite::{Component, Member};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

/// A strike that is over.
#[derive(Debug)]
pub(super) struct CarriedOut {
    pub(super) strike: Strike,
    /// The processes that it hit, or why it failed.
    pub(super) hit: Result<Vec<Member>, String>,
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) seed: u64,
    pub(super) lasted: Duration,
    pub(super) strikes: Vec<CarriedOut>,
    pub(super) aftermath: Aftermath,
    pub(super) promises: Promises,
    /// Orders whose cancellation was accepted although the order does not show it.
    pub(super) forgotten: Vec<OrderId>,
    pub(super) audit_result: AuditResult,
    /// How long the audit waited for rest at most.
    pub(super) waited: Duration,
}

/// The state of the suite after the last strike.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    /// Programs that exited for good during the run, and why.
    pub(super) left_down: BTreeMap<Component, String>,
    /// Why a process did not get ready again, if one did not.
    pub(super) unhealed: Option<String>,
}

/// How often one kind of action was carried out.
#[derive(Debug, Default, PartialEq)]
struct Total {
    strikes: u64,
    processes: u64,
    /// How often each program or provider was hit.
    by_target: BTreeMap<String, u64>,
}

impl Summary {
    /// The exit code of the audit, but 1 if the audit holds although a promise to a customer was broken, a program exited for
    /// good, or the suite did not get well.
    pub(super) fn exit_code(&self) -> ExitCode {
        let promises_kept = self.forgotten.is_empty()
            && self.promises.refused.is_empty()
            && self.aftermath.left_down.is_empty()
            && self.aftermath.unhealed.is_none();
        if self.audit_result.holds() && !promises_kept {
            ExitCode::FAILURE
        } else {
            self.audit_result.exit_code()
        }
    }

    fn totals(&self) -> BTreeMap<ActionKind, Total> {
        let mut totals = BTreeMap::<ActionKind, Total>::new();
        for CarriedOut { strike, hit } in &self.strikes {
            let Ok(hit) = hit else { continue };
            let total = totals.entry(strike.action.kind()).or_default();
            total.strikes += 1;
            total.processes += hit.len() as u64;
            let programs = hit.iter().map(|member| member.component.to_string());
            let provider = match &strike.action {
                Action::ProviderFault(provider, ..) => Some(provider.name().to_owned()),
                _ => None,
            };
            for name in programs.chain(provider) {
                *total.by_target.entry(name).or_default() += 1;
            }
        }
        totals
    }

    fn failures(&self) -> impl Iterator<Item = (&Strike, &String)> {
        self.strikes.iter().filter_map(|done| Some((&done.strike, done.hit.as_ref().err()?)))
    }
}

/// The report as text: a table of the actions, broken promises, and the audit.
pub(super) fn text(summary: &Summary) -> String {
    let Promises { accepted, cancelling, too_late, refused } = &summary.promises;
    let lasted = SignedDuration::try_from(summary.lasted).map(duration::text).unwrap_or_default();
    let mut lines = vec![format!(
        "{} orders in {lasted}, and meanwhile, by seed {}:",
        accepted.len(),
        summary.seed
    )];
    lines.extend(summary.totals().iter().map(|(kind, total)| row(*kind, total)));
    let failures = summary.failures();
    lines.extend(failures.map(|(strike, why)| format!("  failed: {}: {why}", strike.action)));
    let bad = |text: String| format!("{} {text}", style("✗").red().bold());
    let taken = cancelling.len();
    lines.push(format!("cancellations: {taken} taken, {too_late} too late"));
    let forgotten = summary.forgotten.iter();
    lines.extend(forgotten.map(|id| {
        bad(format!(
            "order {id}: its cancellation was answered 202, but the order does not show it"
        ))
    }));
    lines.extend(refused.iter().map(|(why, times)| bad(format!("{times} times: {why}"))));
    let Aftermath { left_down, unhealed } = &summary.aftermath;
    lines.extend(left_down.iter().map(|(program, why)| bad(format!("{program} {why}"))));
    lines.extend(unhealed.iter().cloned().map(bad));
    lines.push(audit::report::text(&summary.audit_result, summary.waited, Notes::Counted));
    lines.join("\n")
}

fn row(kind: ActionKind, total: &Total) -> String {
    let Total { strikes, processes, by_target } = total;
    let count = (*processes).max(*strikes);
    let by_target: Vec<String> =
        by_target.iter().map(|(name, times)| format!("{name} {times}")).collect();
    format!("  {count:>5}  {:<34} {}", kind.title(), by_target.join(", ")).trim_end().to_owned()
}

/// The report as JSON.
pub(super) fn json(summary: &Summary) -> Value {
    let Promises { accepted, cancelling, too_late, refused } = &summary.promises;
    let strikes = summary.strikes.iter().map(|CarriedOut { strike, hit }| {
        let at = u64::try_from(strike.at.as_millis()).unwrap_or(u64::MAX);
        let processes: Vec<String> = hit.iter().flatten().map(ToString::to_string).collect();
        let failed = hit.as_ref().err();
        let (kind, what) = (strike.action.kind().name(), strike.action.to_string());
        json!({"at_ms": at, "kind": kind, "what": what, "processes": processes, "failed": failed})
    });
    let totals = summary.totals();
    let totals = totals.iter().map(|(kind, Total { strikes, processes, by_target })| {
        let total = json!({"strikes": strikes, "processes": processes, "by": by_target});
        (kind.name().to_owned(), total)
    });
    json!({
        "seed": summary.seed,
        "seconds": summary.lasted.as_secs_f64(),
        "orders": {
            "accepted": accepted.len(),
            "refused": refused,
            "cancellations": {
                "taken": cancelling.len(), "too_late": too_late, "forgotten": summary.forgotten
            },
        },
        "totals": totals.collect::<serde_json::Map<_, _>>(),
        "strikes": strikes.collect::<Vec<_>>(),
        "left_down": summary.aftermath.left_down,
        "unhealed": summary.aftermath.unhealed,
        "audit": audit::report::json(&summary.audit_result),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::action::{Fault, Provider};
    use crate::cmd::audit::Unrest;
    use crate::names;
    use ::audit::Report;

    fn carried_out(action: Action, hit: Result<Vec<Member>, String>) -> CarriedOut {
        CarriedOut { strike: Strike { at: Duration::from_millis(700), action }, hit }
    }

    fn summary() -> Summary {
        let victims: Vec<Member> = vec![names::order().into(), names::payment().into()];
        let second = Duration::from_secs(1);
        let outage = Action::ProviderFault(Provider::Mail, Fault::Outage, second);
        let failed = Err("`false` failed: exit code 1".to_owned());
        Summary {
            seed: 7,
            lasted: second,
            strikes: vec![
                carried_out(Action::Kill(victims.clone()), Ok(victims.clone())),
                carried_out(Action::Kill(victims.clone()), Ok(victims[..1].to_vec())),
                carried_out(outage, Ok(Vec::new())),
                carried_out(Action::RestartKafka, failed),
            ],
            aftermath: Aftermath::default(),
            promises: Promises::default(),
            forgotten: Vec::new(),
            audit_result: AuditResult::AtRest(Report { invariants: Vec::new() }),
            waited: second,
        }
    }

    #[test]
    fn processes_are_counted_by_program_and_failed_strikes_are_listed() {
        let text = text(&summary());
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(
            rows[..5],
            [
                "0 orders in 1 s, and meanwhile, by seed 7:",
                "      3  killed (kill -9)                   order 2, payment 1",
                "      1  providers out of service           mail 1",
                "  failed: Kafka is restarted: `false` failed: exit code 1",
                "cancellations: 0 taken, 0 too late",
            ]
        );
        let json = json(&summary());
        assert_eq!(
            json["totals"]["kill"],
            json!({"strikes": 2, "processes": 3, "by": {"order": 2, "payment": 1}})
        );
        assert_eq!(json["strikes"][1]["what"], "kill -9 order, payment");
        assert_eq!(json["strikes"][3]["failed"], "`false` failed: exit code 1");
    }

    #[test]
    fn a_broken_promise_is_a_failure_even_where_the_audit_holds() {
        let code = |change: fn(&mut Summary)| {
            let mut summary = summary();
            change(&mut summary);
            format!("{:?}", summary.exit_code())
        };
        let [good, bad, moving] = [0, 1, 2].map(|code: u8| format!("{:?}", ExitCode::from(code)));
        assert_eq!(code(|_| {}), good);
        assert_eq!(code(|it| it.forgotten.push(uuid::Uuid::nil().into())), bad);
        assert_eq!(code(|it| it.promises.refused = [("500".to_owned(), 1)].into()), bad);
        let refuses = |summary: &mut Summary| {
            summary.aftermath.left_down = [(names::order(), "refuses to run".to_owned())].into();
        };
        assert_eq!(code(refuses), bad);
        assert_eq!(code(|it| it.aftermath.unhealed = Some("order is dead".to_owned())), bad);
        let not_at_rest = |summary: &mut Summary| {
            summary.audit_result = AuditResult::NotAtRest(Unrest::default());
        };
        assert_eq!(code(not_at_rest), moving);
    }
}
