//! `quintet schema check`, in a repository of its own.

use contracts::Event;
use event::Contract as _;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A repository that has released our schemas as `v1`.
struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
        copy(&ours, &temp.path().join("schemas"));
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

/// How many the contract lists.
fn schemas() -> usize {
    Event::schemas().count()
}

#[test]
fn what_is_released_passes_until_it_changes() {
    let repository = Repository::new();
    let (code, told) = repository.check(&["--against", "v1"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.ends_with(&format!("; all {} of v1 are as they were released\n", schemas())),
        "{told}"
    );
    assert_eq!(repository.check(&[]).0, Some(0));

    let file = repository.0.path().join("schemas/shipment_failed/v1.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"reason\"", "\"why\"")).unwrap();
    let (code, told) = repository.check(&["--against", "v1"]);
    assert_eq!(code, Some(1), "{told}");
    let changed = "schemas/shipment_failed/v1.json: released-changed: ";
    assert!(told.lines().any(|line| line.starts_with(changed)), "{told}");

    let (code, told) = repository.check(&["--against", "v1", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (code, &told["against"], &told["released"]),
        (Some(1), &"v1".into(), &schemas().into())
    );
    let violations = told["violations"].as_array().unwrap();
    let changed = violations.iter().find(|it| it["rule"] == "released-changed").unwrap();
    for field in ["file", "problem", "fix"] {
        assert!(changed[field].is_string(), "{changed}");
    }
}

#[test]
fn what_cannot_be_told_is_no_violation() {
    let repository = Repository::new();
    for unknown in ["v2", "--help-me", ""] {
        let against = format!("--against={unknown}");
        let (code, told) = repository.check(&[&against]);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(&format!("git knows no commit `{unknown}`")), "{told}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    let quintet = Command::new(env!("CARGO_BIN_EXE_quintet"))
        .args(["schema", "check"])
        .current_dir(nowhere.path())
        .output()
        .unwrap();
    assert_eq!(quintet.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&quintet.stderr).contains("no folder `schemas`"));
}
