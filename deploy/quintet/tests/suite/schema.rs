//! `quintet schema check`, in a git repository of the test's own.

use contracts::Event;
use event::Contract as _;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A repository whose tag `v1` has the schemas of this checkout.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
        copy(&schemas, &temp.path().join("schemas"));
        let repository = Self(temp);
        repository.git(&["init", "--quiet"]);
        repository.git(&["add", "."]);
        repository.git(&["commit", "--quiet", "--message", "first"]);
        repository.git(&["tag", "v1"]);
        repository
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=ada", "-c", "user.email=ada@example.com"]);
        git.args(["-c", "commit.gpgsign=false"]).args(arguments);
        assert!(git.current_dir(self.0.path()).status().unwrap().success(), "{arguments:?}");
    }

    fn check(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_quintet"))
            .args(["schema", "check"])
            .args(arguments)
            .current_dir(self.0.path().join("schemas"))
            .output()
            .unwrap();
        (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// The number of schemas in the contract.
fn schema_count() -> usize {
    Event::schemas().count()
}

#[test]
fn released_schemas_pass_until_one_changes() {
    let repository = Repository::new();
    let (code, output) = repository.check(&["--against", "v1"]);
    assert_eq!(code, Some(0), "{output}");
    let end = format!("; all {} of v1 are as they were released\n", schema_count());
    assert!(output.ends_with(&end), "{output}");
    assert_eq!(repository.check(&[]).0, Some(0));

    let file = repository.0.path().join("schemas/shipment_failed/v1.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"reason\"", "\"why\"")).unwrap();
    let (code, output) = repository.check(&["--against", "v1"]);
    assert_eq!(code, Some(1), "{output}");
    let changed = "schemas/shipment_failed/v1.json: released-changed: ";
    assert!(output.lines().any(|line| line.starts_with(changed)), "{output}");

    let (code, output) = repository.check(&["--against", "v1", "--json"]);
    let json: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(
        (code, &json["against"], &json["released"]),
        (Some(1), &"v1".into(), &schema_count().into())
    );
    let mut violations = json["violations"].as_array().unwrap().iter();
    let changed = violations.find(|violation| violation["rule"] == "released-changed").unwrap();
    for field in ["file", "problem", "fix"] {
        assert!(changed[field].is_string(), "{changed}");
    }
}

#[test]
fn a_check_that_cannot_run_exits_with_2() {
    let repository = Repository::new();
    for unknown in ["v2", "--help-me", ""] {
        let against = format!("--against={unknown}");
        let (code, output) = repository.check(&[&against]);
        assert_eq!(code, Some(2), "{output}");
        assert!(output.contains(&format!("git knows no commit `{unknown}`")), "{output}");
    }
    let outside = tempfile::tempdir().unwrap();
    let quintet = Command::new(env!("CARGO_BIN_EXE_quintet"))
        .args(["schema", "check"])
        .current_dir(outside.path())
        .output()
        .unwrap();
    assert_eq!(quintet.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&quintet.stderr).contains("no folder `schemas`"));
}
