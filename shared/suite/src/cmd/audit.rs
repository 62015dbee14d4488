//! `audit`: checks the invariants of a suite. The exit code is 0 if all hold, 1 if one does not, and 2 if the suite is not at
//! rest.

use crate::duration;
use crate::exit::Exit;
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

/// The invariant of every saga.
const AT_REST: &str = "at rest: nothing waits, nothing is parked";

/// The options of `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// How long to wait until nothing happens any more: 500ms, 30s, 5m
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    wait: Duration,
}

/// The audit result of an invariant.
struct Checked {
    name: &'static str,
    /// The violations, a line each.
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
                let checked = check(&collected, &statuses, invariants);
                ui::result(&if session.json {
                    as_json(&checked).to_string()
                } else {
                    as_text(&checked)
                });
                let holds = checked.iter().all(|invariant| invariant.offences.is_empty());
                if holds { Exit::Done.into() } else { Exit::Failed.into() }
            }
            Seen::Moving(waiting) => {
                ui::result(&if session.json {
                    json!({"result": "not_at_rest", "invariants": [], "waiting": waiting})
                        .to_string()
                } else {
                    not_at_rest(&waiting, self.wait)
                });
                Exit::Undecided.into()
            }
        })
    }
}

/// Checks the saga's own invariants, and then that of every saga.
fn check(rows: &Rows, statuses: &Statuses, invariants: &[Invariant]) -> Vec<Checked> {
    let own = invariants.iter();
    let own =
        own.map(|invariant| Checked { name: invariant.name, offences: invariant.offences(rows) });
    let stuck = statuses.iter().filter(|(_, status)| !status.is_quiet());
    let stuck = stuck.map(|(service, status)| format!("{service}: still has {}", status.waiting()));
    own.chain([Checked { name: AT_REST, offences: stuck.collect() }]).collect()
}

fn as_text(checked: &[Checked]) -> String {
    let mut lines = Vec::new();
    for (nth, Checked { name, offences }) in checked.iter().enumerate() {
        let mark = if offences.is_empty() { "✓" } else { "✗" };
        lines.push(format!("{mark} {} {name}", nth + 1));
        lines.extend(offences.iter().flat_map(|why| wrapped(why, 4)));
    }
    let all = checked.len();
    lines.push(match checked.iter().filter(|invariant| !invariant.offences.is_empty()).count() {
        0 => format!("sound: all {all} invariants hold"),
        broken => format!("BROKEN: {broken} of {all} invariants do not hold"),
    });
    lines.join("\n")
}

fn as_json(checked: &[Checked]) -> Value {
    let invariants = checked.iter().enumerate().map(|(nth, Checked { name, offences })| {
        json!({"number": nth + 1, "name": name, "holds": offences.is_empty(), "offences": offences})
    });
    let holds = checked.iter().all(|invariant| invariant.offences.is_empty());
    let result = if holds { "sound" } else { "broken" };
    json!({"result": result, "invariants": invariants.collect::<Vec<_>>(), "waiting": []})
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

    fn checked(ended: bool, parked: i64) -> Vec<Checked> {
        let mut rows = Rows::default();
        rows.add("booking", json!({"table": "trip", "id": 7, "ended": ended}));
        rows.add("booking", json!({"table": "seat", "id": 8, "ended": false}));
        let parked = Depth { depth: parked };
        let status = Status { parked, lag: Some(0), ..Status::default() };
        check(&rows, &[("flights".into(), status)].into(), &invariants())
    }

    #[test]
    fn a_sagas_own_invariants_come_first_and_rest_is_the_last() {
        let sound = as_text(&checked(true, 0));
        let expected = "✓ 1 every trip ends\n✓ 2 at rest: nothing waits, nothing is parked\n\
                        sound: all 2 invariants hold";
        assert_eq!(sound, expected);
        let broken = as_text(&checked(false, 3));
        let expected = "✗ 1 every trip ends\n    trip 7 is open\n\
                        ✗ 2 at rest: nothing waits, nothing is parked\n    flights: still has parked 3\n\
                        BROKEN: 2 of 2 invariants do not hold";
        assert_eq!(broken, expected);
        assert_eq!(as_json(&checked(true, 0))["result"], "sound");
        assert_eq!(as_json(&checked(true, 1))["invariants"][1]["holds"], false);
    }

    #[test]
    fn a_suite_that_is_not_at_rest_has_no_result() {
        let text = not_at_rest(&["flights: lag 7".to_owned()], Duration::from_secs(30));
        assert_eq!(text, "not at rest after 30 s, so nothing can be said:\n    flights: lag 7");
    }
}
