//! Finds the servers that the environment names.

use std::{
    collections::BTreeSet,
    env,
    io::Write,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// The URL of the tests' PostgreSQL: `postgres://USER@HOST:PORT`.
///
/// # Panics
/// If the variable is unset and `QUINTET_TEST_REQUIRE_SERVERS=1` requires it.
#[must_use]
pub fn postgres() -> Option<String> {
    server("QUINTET_TEST_POSTGRES", "postgres://USER@HOST:PORT")
}

/// The address of the tests' Kafka: `HOST:PORT`.
///
/// # Panics
/// If the variable is unset and `QUINTET_TEST_REQUIRE_SERVERS=1` requires it.
#[must_use]
pub fn kafka() -> Option<String> {
    server("QUINTET_TEST_KAFKA", "HOST:PORT")
}

/// The folder of a Kafka distribution, for tests that start a broker of their own.
///
/// # Panics
/// If the variable is unset and `QUINTET_TEST_REQUIRE_SERVERS=1` requires it.
#[must_use]
pub fn kafka_dir() -> Option<PathBuf> {
    server("QUINTET_TEST_KAFKA_DIR", "DIR").map(PathBuf::from)
}

fn server(variable: &'static str, form: &str) -> Option<String> {
    if let Ok(address) = env::var(variable) {
        return Some(address);
    }
    assert!(!required(), "{variable}={form} must name a server");
    report_once(variable, &format!("{variable}={form}"));
    None
}

/// Returns a program that tests start themselves. If it is not installed, this says so, or panics if it is required.
pub(crate) fn found<T>(program: Option<T>, name: &'static str) -> Option<T> {
    assert!(program.is_some() || !required(), "{name} must be installed");
    if program.is_none() {
        report_once(name, &format!("{name} (not installed)"));
    }
    program
}

fn required() -> bool {
    env::var("QUINTET_TEST_REQUIRE_SERVERS").is_ok_and(|value| value == "1")
}

/// Reports once for each process that tests are left out. It does not use `eprintln!`, because the test harness discards that
/// output of tests that pass.
fn report_once(subject: &'static str, need: &str) {
    static REPORTED: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    if REPORTED.lock().unwrap_or_else(PoisonError::into_inner).insert(subject) {
        let _ = writeln!(std::io::stderr(), "left out: what needs {need}");
    }
}
