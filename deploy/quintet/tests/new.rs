//! `quintet new`: which files it writes, and what it refuses. `.ci/new` builds, tests and runs what it writes.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Runs `new` in this folder; its exit code, and all that it says.
fn new(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_quintet"))
        .arg("new")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

fn empty() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// This checkout, in which the command was built.
fn checkout() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn it_writes_a_saga_that_takes_the_library_from_the_checkout_that_is_given() {
    let (temp, checkout) = (empty(), checkout());
    let (code, told) = new(temp.path(), &["box-office", "--quintet", &checkout]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("cd box-office\n"), "{told}");
    let saga = temp.path().join("box-office");
    for file in [
        ".gitignore",
        "Cargo.lock",
        "README.md",
        "schemas/seat_held/v1.example.json",
        "src/seats/undo/ticket_cancelled.rs",
        "suite.toml",
        "tests/saga.rs",
    ] {
        assert!(saga.join(file).is_file(), "{file}");
    }
    let manifest = fs::read_to_string(saga.join("Cargo.toml")).unwrap();
    assert!(manifest.contains("\nname = \"box-office\"\n"), "{manifest}");
    let facade = format!("\nquintet = {{ path = \"{checkout}/shared/quintet\" }}\n");
    assert!(manifest.contains(&facade), "{manifest}");
    let elsewhere = |path: &str| !fs::read_to_string(saga.join(path)).unwrap().contains(&checkout);
    assert!(["README.md", "suite.toml", "src/main.rs"].into_iter().all(elsewhere));
}

#[test]
fn another_folder_may_be_given_if_it_is_empty() {
    let temp = empty();
    fs::create_dir(temp.path().join("mine")).unwrap();
    let (checkout, given) = (checkout(), ["shop", "--path", "mine", "--json", "--quintet"]);
    let given = [&given[..], &[&checkout]].concat();
    let (code, told) = new(temp.path(), &given);
    assert_eq!(code, Some(0), "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["path"], &told["quintet"]), (&"mine".into(), &checkout.as_str().into()));
    let files = told["files"].as_array().unwrap();
    assert!(files.contains(&"src/contract.rs".into()), "{told}");
    assert!(files.iter().all(|it| temp.path().join("mine").join(it.as_str().unwrap()).is_file()));

    let (code, told) = new(temp.path(), &given);
    let expected = "quintet: mine is not empty: give another folder by --path\n";
    assert_eq!((code, &*told), (Some(1), expected));
}

#[test]
fn what_it_cannot_do_it_says_in_one_line_and_writes_nothing() {
    let temp = empty();
    fs::write(temp.path().join("file"), "mine").unwrap();
    let refused = |arguments: &[&str], code: i32, why: &str| {
        let (found, told) = new(temp.path(), arguments);
        assert_eq!(found, Some(code), "{told}");
        assert!(told.contains(why), "{told}");
    };
    let unfit = "'Shop' for '<NAME>': use at most 32 of a-z, 0-9 and `-`, a letter first";
    refused(&["Shop"], 2, unfit);
    refused(&["match"], 2, "belongs to Rust or Cargo: give another name, such as `match-saga`");
    refused(&["quintet"], 2, "depends on a package of this name: give another");
    refused(&["shop", "--path", "file"], 1, "quintet: file is not a folder: give another one");
    let none = "--quintet .: there is no shared/quintet/Cargo.toml: give the root of a checkout";
    refused(&["shop", "--quintet", "."], 1, none);
    assert_eq!(temp.path().read_dir().unwrap().count(), 1);
}
