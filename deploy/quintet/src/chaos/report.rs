//! What was done, what customers were promised, and what the audit says.

use super::act::{Act, Kind};
use super::customers::Promises;
use super::plan::Strike;
use crate::cmd::audit::report::Notes;
use crate::cmd::audit::{self, Verdict};
use console::style;
use contracts::OrderId;
use jiff::SignedDuration;
use quintet_suite::duration;
use quintet_suite::{Component, Member};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

/// A strike that was carried out, or why not.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) strike: Strike,
    /// The processes that it met.
    pub(super) met: Result<Vec<Member>, String>,
}

/// Everything that there is to tell.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) seed: u64,
    pub(super) lasted: Duration,
    pub(super) done: Vec<Done>,
    pub(super) aftermath: Aftermath,
    pub(super) promises: Promises,
    /// Cancellations that were taken and of which the order knows nothing.
    pub(super) forgotten: Vec<OrderId>,
    pub(super) verdict: Verdict,
    pub(super) waited: Duration,
}

/// How the suite stood after the last strike.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    /// Programs that refused to run on, and why.
    pub(super) left_down: BTreeMap<Component, String>,
    /// Why not everybody got well again.
    pub(super) unhealed: Option<String>,
}

/// What was done of one kind.
#[derive(Debug, Default, PartialEq)]
struct Total {
    strikes: u64,
    processes: u64,
    by: BTreeMap<String, u64>,
}

impl Story {
    /// The audit's; a promise that was broken otherwise is as bad.
    pub(super) fn exit_code(&self) -> ExitCode {
        let kept = self.forgotten.is_empty()
            && self.promises.refused.is_empty()
            && self.aftermath.left_down.is_empty()
            && self.aftermath.unhealed.is_none();
        if self.verdict.holds() && !kept { ExitCode::FAILURE } else { self.verdict.exit_code() }
    }

    fn totals(&self) -> BTreeMap<Kind, Total> {
        let mut totals = BTreeMap::<Kind, Total>::new();
        for Done { strike, met } in &self.done {
            let Ok(met) = met else { continue };
            let total = totals.entry(strike.act.kind()).or_default();
            total.strikes += 1;
            total.processes += met.len() as u64;
            let hit = met.iter().map(|member| member.component.to_string());
            let provider = match &strike.act {
                Act::Trouble(provider, ..) => Some(provider.name().to_owned()),
                _ => None,
            };
            for name in hit.chain(provider) {
                *total.by.entry(name).or_default() += 1;
            }
        }
        totals
    }

    fn failures(&self) -> impl Iterator<Item = (&Strike, &String)> {
        self.done.iter().filter_map(|done| Some((&done.strike, done.met.as_ref().err()?)))
    }
}

/// For people: a table of what was done, and the verdict.
pub(super) fn text(story: &Story) -> String {
    let Promises { accepted, cancelling, too_late, refused } = &story.promises;
    let lasted = SignedDuration::try_from(story.lasted).map(duration::text).unwrap_or_default();
    let mut lines = vec![format!(
        "{} orders in {lasted}, and meanwhile, by seed {}:",
        accepted.len(),
        story.seed
    )];
    lines.extend(story.totals().iter().map(|(kind, total)| row(*kind, total)));
    lines.extend(story.failures().map(|(strike, why)| format!("  failed: {}: {why}", strike.act)));
    let bad = |text: String| format!("{} {text}", style("✗").red().bold());
    let taken = cancelling.len();
    lines.push(format!("cancellations: {taken} taken, {too_late} too late"));
    lines.extend(story.forgotten.iter().map(|id| bad(format!("order {id}: its was forgotten"))));
    lines.extend(refused.iter().map(|(why, times)| bad(format!("{times} times: {why}"))));
    let Aftermath { left_down, unhealed } = &story.aftermath;
    lines.extend(left_down.iter().map(|(program, why)| bad(format!("{program} {why}"))));
    lines.extend(unhealed.iter().cloned().map(bad));
    lines.push(audit::report::text(&story.verdict, story.waited, Notes::Counted));
    lines.join("\n")
}

fn row(kind: Kind, Total { strikes, processes, by }: &Total) -> String {
    let count = (*processes).max(*strikes);
    let by: Vec<String> = by.iter().map(|(name, times)| format!("{name} {times}")).collect();
    format!("  {count:>5}  {:<34} {}", kind.title(), by.join(", ")).trim_end().to_owned()
}

/// For programs.
pub(super) fn json(story: &Story) -> Value {
    let Promises { accepted, cancelling, too_late, refused } = &story.promises;
    let done = story.done.iter().map(|Done { strike, met }| {
        let at = u64::try_from(strike.at.as_millis()).unwrap_or(u64::MAX);
        let processes: Vec<String> = met.iter().flatten().map(ToString::to_string).collect();
        let failed = met.as_ref().err();
        let (kind, what) = (strike.act.kind().name(), strike.act.to_string());
        json!({"at_ms": at, "kind": kind, "what": what, "processes": processes, "failed": failed})
    });
    let totals = story.totals();
    let totals = totals.iter().map(|(kind, Total { strikes, processes, by })| {
        let total = json!({"strikes": strikes, "processes": processes, "by": by});
        (kind.name().to_owned(), total)
    });
    json!({
        "seed": story.seed,
        "seconds": story.lasted.as_secs_f64(),
        "orders": {
            "accepted": accepted.len(),
            "refused": refused,
            "cancellations": {
                "taken": cancelling.len(), "too_late": too_late, "forgotten": story.forgotten
            },
        },
        "totals": totals.collect::<serde_json::Map<_, _>>(),
        "strikes": done.collect::<Vec<_>>(),
        "left_down": story.aftermath.left_down,
        "unhealed": story.aftermath.unhealed,
        "audit": audit::report::json(&story.verdict),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::act::{Fault, Provider};
    use crate::cmd::audit::Unrest;
    use crate::names;
    use ::audit::Report;

    fn done(act: Act, met: Result<Vec<Member>, String>) -> Done {
        Done { strike: Strike { at: Duration::from_millis(700), act }, met }
    }

    fn story() -> Story {
        let victims: Vec<Member> = vec![names::order().into(), names::payment().into()];
        let second = Duration::from_secs(1);
        let out = Act::Trouble(Provider::Mail, Fault::Outage, second);
        let failed = Err("`false` failed: exit code 1".to_owned());
        Story {
            seed: 7,
            lasted: second,
            done: vec![
                done(Act::Kill(victims.clone()), Ok(victims.clone())),
                done(Act::Kill(victims.clone()), Ok(victims[..1].to_vec())),
                done(out, Ok(Vec::new())),
                done(Act::RestartKafka, failed),
            ],
            aftermath: Aftermath::default(),
            promises: Promises::default(),
            forgotten: Vec::new(),
            verdict: Verdict::Judged(Report { invariants: Vec::new() }),
            waited: second,
        }
    }

    #[test]
    fn processes_are_counted_by_who_was_met_and_what_failed_is_told() {
        let told = text(&story());
        let rows: Vec<&str> = told.lines().collect();
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
        let json = json(&story());
        assert_eq!(
            json["totals"]["kill"],
            json!({"strikes": 2, "processes": 3, "by": {"order": 2, "payment": 1}})
        );
        assert_eq!(json["strikes"][1]["what"], "kill -9 order, payment");
        assert_eq!(json["strikes"][3]["failed"], "`false` failed: exit code 1");
    }

    #[test]
    fn a_broken_promise_is_a_failure_even_where_the_audit_holds() {
        let code = |change: fn(&mut Story)| {
            let mut story = story();
            change(&mut story);
            format!("{:?}", story.exit_code())
        };
        let [good, bad, moving] = [0, 1, 2].map(|code: u8| format!("{:?}", ExitCode::from(code)));
        assert_eq!(code(|_| {}), good);
        assert_eq!(code(|it| it.forgotten.push(uuid::Uuid::nil().into())), bad);
        assert_eq!(code(|it| it.promises.refused = [("500".to_owned(), 1)].into()), bad);
        let refuses = |it: &mut Story| {
            it.aftermath.left_down = [(names::order(), "refuses to run".to_owned())].into();
        };
        assert_eq!(code(refuses), bad);
        assert_eq!(code(|it| it.aftermath.unhealed = Some("order is dead".to_owned())), bad);
        assert_eq!(code(|it| it.verdict = Verdict::NotAtRest(Unrest::default())), moving);
    }
}
