//! `audit`: exit code 0 when everything is as promised, 1 when it is not, 2 when the suite is not at rest.

use crate::duration;
use crate::extension::Extension;
use crate::invariant::Invariant;
use crate::rest::{Rest, Rows, Seen, Statuses, Still};
use crate::session::Session;
use crate::ui::{self, Ui, wrapped};
use anyhow::Result;
use clap::Args;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

const BROKEN: u8 = 1;
const NOT_AT_REST: u8 = 2;
/// What every saga promises.
const AT_REST: &str = "at rest: nothing waits, nothing is parked";

/// What `audit` takes.
#[derive(Debug, Args)]
pub struct Audit {
    /// How long to wait until nothing happens any more: 500ms, 30s, 5m
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    wait: Duration,
}

/// What became of an invariant.
struct Judged {
    name: &'static str,
    offences: Vec<String>,
}

impl Audit {
    pub(crate) async fn run(
        self,
        session: &Session,
        extension: &dyn Extension,
        invariants: &[Invariant],
    ) -> Result<ExitCode> {
        if let Some(code) = extension.audit(session, self.wait).await? {
            return Ok(code);
        }
        let (suite, api) = session.running().await?;
        let rest = Rest::of(&suite, api)?.with_providers(&suite, session.manifest);
        let seen = rest.wait(self.wait, &Ui::default(), async || rest.all_rows().await).await;
        Ok(match seen {
            Seen::Still(Still { collected, statuses }) => {
                let judged = judge(&collected, &statuses, invariants);
                ui::result(&if session.json {
                    as_json(&judged).to_string()
                } else {
                    as_text(&judged)
                });
                let holds = judged.iter().all(|it| it.offences.is_empty());
                if holds { ExitCode::SUCCESS } else { BROKEN.into() }
            }
            Seen::Moving(waiting) => {
                ui::result(&if session.json {
                    json!({"verdict": "not_at_rest", "invariants": [], "waiting": waiting})
                        .to_string()
                } else {
                    not_at_rest(&waiting, self.wait)
                });
                NOT_AT_REST.into()
            }
        })
    }
}

fn judge(rows: &Rows, statuses: &Statuses, invariants: &[Invariant]) -> Vec<Judged> {
    let own = invariants.iter();
    let own = own.map(|it| Judged { name: it.name, offences: it.offences(rows) });
    let stuck = statuses.iter().filter(|(_, status)| !status.is_quiet());
    let stuck = stuck.map(|(service, it)| format!("{service}: still has {}", it.waiting()));
    own.chain([Judged { name: AT_REST, offences: stuck.collect() }]).collect()
}

fn as_text(judged: &[Judged]) -> String {
    let mut lines = Vec::new();
    for (nth, Judged { name, offences }) in judged.iter().enumerate() {
        let mark = if offences.is_empty() { "✓" } else { "✗" };
        lines.push(format!("{mark} {} {name}", nth + 1));
        lines.extend(offences.iter().flat_map(|why| wrapped(why, 4)));
    }
    let all = judged.len();
    lines.push(match judged.iter().filter(|it| !it.offences.is_empty()).count() {
        0 => format!("sound: all {all} invariants hold"),
        broken => format!("BROKEN: {broken} of {all} invariants do not hold"),
    });
    lines.join("\n")
}

fn as_json(judged: &[Judged]) -> Value {
    let invariants = judged.iter().enumerate().map(|(nth, Judged { name, offences })| {
        json!({"number": nth + 1, "name": name, "holds": offences.is_empty(), "offences": offences})
    });
    let holds = judged.iter().all(|it| it.offences.is_empty());
    let verdict = if holds { "sound" } else { "broken" };
    json!({"verdict": verdict, "invariants": invariants.collect::<Vec<_>>(), "waiting": []})
}

fn not_at_rest(waiting: &[String], wait: Duration) -> String {
    let wait = SignedDuration::try_from(wait).map(duration::text).unwrap_or_default();
    let head = format!("not at rest after {wait}, so nothing can be said:");
    let waiting = waiting.iter().flat_map(|why| wrapped(why, 4));
    [head].into_iter().chain(waiting).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::{Depth, Status};

    fn invariants() -> [Invariant; 1] {
        [Invariant::new("every trip ends", |rows| {
            let open = rows.of("booking", "trip").filter(|row| row["ended"] == false);
            open.map(|row| format!("trip {} is open", row["id"])).collect()
        })]
    }

    fn judged(ended: bool, parked: i64) -> Vec<Judged> {
        let mut rows = Rows::default();
        rows.add("booking", json!({"table": "trip", "id": 7, "ended": ended}));
        rows.add("booking", json!({"table": "seat", "id": 8, "ended": false}));
        let parked = Depth { depth: parked };
        let status = Status { parked, lag: Some(0), ..Status::default() };
        judge(&rows, &[("flights".into(), status)].into(), &invariants())
    }

    #[test]
    fn a_sagas_own_invariants_come_first_and_rest_is_the_last() {
        let sound = as_text(&judged(true, 0));
        let expected = "✓ 1 every trip ends\n✓ 2 at rest: nothing waits, nothing is parked\n\
                        sound: all 2 invariants hold";
        assert_eq!(sound, expected);
        let broken = as_text(&judged(false, 3));
        let expected = "✗ 1 every trip ends\n    trip 7 is open\n\
                        ✗ 2 at rest: nothing waits, nothing is parked\n    flights: still has parked 3\n\
                        BROKEN: 2 of 2 invariants do not hold";
        assert_eq!(broken, expected);
        assert_eq!(as_json(&judged(true, 0))["verdict"], "sound");
        assert_eq!(as_json(&judged(true, 1))["invariants"][1]["holds"], false);
    }

    #[test]
    fn a_suite_at_work_is_not_judged() {
        let told = not_at_rest(&["flights: lag 7".to_owned()], Duration::from_secs(30));
        assert_eq!(told, "not at rest after 30 s, so nothing can be said:\n    flights: lag 7");
    }
}
