use std::{
    collections::BTreeSet,
    env,
    io::Write,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// Where the test's PostgreSQL is: `postgres://USER@HOST:PORT`.
///
/// # Panics
/// If it is not told and `QUINTET_TEST_REQUIRE_SERVERS=1` requires it.
#[must_use]
pub fn postgres() -> Option<String> {
    server("QUINTET_TEST_POSTGRES", "postgres://USER@HOST:PORT")
}

/// Where the test's Kafka is: `HOST:PORT`.
///
/// # Panics
/// If it is not told and `QUINTET_TEST_REQUIRE_SERVERS=1` requires it.
#[must_use]
pub fn kafka() -> Option<String> {
    server("QUINTET_TEST_KAFKA", "HOST:PORT")
}

/// Where a distribution of Kafka lies, for tests that start a broker of their own.
///
/// # Panics
/// If it is not told and `QUINTET_TEST_REQUIRE_SERVERS=1` requires it.
#[must_use]
pub fn kafka_dir() -> Option<PathBuf> {
    server("QUINTET_TEST_KAFKA_DIR", "DIR").map(PathBuf::from)
}

fn server(variable: &'static str, form: &str) -> Option<String> {
    if let Ok(address) = env::var(variable) {
        return Some(address);
    }
    assert!(!required(), "{variable}={form} must name a server");
    say_once(variable, &format!("{variable}={form}"));
    None
}

/// A program that tests start themselves, where it is installed.
pub(crate) fn found<T>(program: Option<T>, name: &'static str) -> Option<T> {
    assert!(program.is_some() || !required(), "{name} must be installed");
    if program.is_none() {
        say_once(name, &format!("{name} (not installed)"));
    }
    program
}

fn required() -> bool {
    env::var("QUINTET_TEST_REQUIRE_SERVERS").is_ok_and(|value| value == "1")
}

/// Once for each process, and not by `eprintln!`, which tests that pass swallow.
fn say_once(subject: &'static str, need: &str) {
    static SAID: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(subject) {
        let _ = writeln!(std::io::stderr(), "left out: what needs {need}");
    }
}
