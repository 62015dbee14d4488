//! Checks that data which follows an old schema follows the latest one once it is upcast.

use super::Violation;
use super::tree::{Tree, Version};
use jsonschema::Validator;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::Value;

/// How many cases are drawn for each version, beside its example.
const CASES: u32 = 200;
/// How many attempts are made to shrink a failing case.
const SHRINKING: u32 = 20_000;

/// Upcasts data of a version to the latest that the types know, or returns why that is impossible.
pub(super) type Upcast = dyn Fn(Version<'_>, &Value) -> Result<Value, String>;

/// Upcasts data of every version in `old`, its example and drawn cases, and validates it by the latest schema.
pub(super) fn check(current: &Tree, old: &Tree, upcast: &Upcast) -> Vec<Violation> {
    old.schemas().filter_map(|version| check_version(current, old, version, upcast)).collect()
}

fn check_version(
    current: &Tree,
    old: &Tree,
    version: Version<'_>,
    upcast: &Upcast,
) -> Option<Violation> {
    let latest = current.latest(version.folder)?;
    let file = latest.schema();
    // `drift` reports a file that is no valid schema.
    let validator = jsonschema::validator_for(&current.json(&file)?).ok()?;
    let schema = old.json(&version.schema())?;
    let violation = |problem, fix: &str| {
        let rule = if latest == version { "types-refuse" } else { "old-data" };
        Violation { file: file.clone(), rule, problem, fix: fix.to_owned() }
    };
    let attempt = |data: &Value| accepted(&validator, version, latest, data, upcast);
    if let Some(example) = old.json(&version.example())
        && let Err(why) = attempt(&example)
    {
        return Some(violation(format!("the example of v{} {why}", version.number), UPCASTER));
    }
    let strategy = match samples::following(&schema) {
        Ok(strategy) => strategy,
        Err(error) => {
            let fix = "or use the keywords that the other schemas use";
            return Some(violation(error.to_string(), fix));
        }
    };
    let drawn = runner().run(&strategy, |data| attempt(&data).map_err(TestCaseError::fail));
    match drawn {
        Ok(()) => None,
        Err(TestError::Fail(why, data)) => {
            let problem =
                format!("data that follows v{} {}: {data}", version.number, why.message());
            Some(violation(problem, UPCASTER))
        }
        Err(TestError::Abort(why)) => {
            Some(violation(format!("no data can be drawn that follows it: {why}"), ""))
        }
    }
}

const UPCASTER: &str = "let the schema accept data of the earlier version, or upcast the data in \
                        schemas/src/upcast.rs";

/// Checks that upcast data follows the latest schema.
fn accepted(
    validator: &Validator,
    version: Version<'_>,
    latest: Version<'_>,
    data: &Value,
    upcast: &Upcast,
) -> Result<(), String> {
    let upcast = upcast(version, data).map_err(|why| format!("is refused ({why})"))?;
    validator.validate(&upcast).map_err(|error| {
        let (at, why) = (error.instance_path(), error.masked());
        format!("does not become v{}: `{at}` {why}", latest.number)
    })
}

/// Draws the same data in every run, and writes no files with failing cases.
fn runner() -> TestRunner {
    let config = Config {
        cases: CASES,
        max_shrink_iters: SHRINKING,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}
