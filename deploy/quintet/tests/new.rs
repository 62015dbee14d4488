//! `quintet new`: the files that it writes, and the arguments that it refuses. `.ci/new` builds, tests and runs such a saga.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Runs `new` in this folder, and returns its exit code and output.
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

/// The path of this checkout.
fn checkout() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_new_saga_takes_the_library_from_the_given_checkout() {
    let (temp, checkout) = (empty(), checkout());
    let (code, output) = new(temp.path(), &["box-office", "--quintet", &checkout]);
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("cd box-office\n"), "{output}");
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
    let has_checkout =
        |path: &str| fs::read_to_string(saga.join(path)).unwrap().contains(&checkout);
    assert!(!["README.md", "suite.toml", "src/main.rs"].into_iter().any(has_checkout));
}

#[test]
fn another_folder_may_be_given_if_it_is_empty() {
    let temp = empty();
    fs::create_dir(temp.path().join("mine")).unwrap();
    let checkout = checkout();
    let arguments = ["shop", "--path", "mine", "--json", "--quintet", &checkout];
    let (code, output) = new(temp.path(), &arguments);
    assert_eq!(code, Some(0), "{output}");
    let json: Value = serde_json::from_str(&output).unwrap();
    assert_eq!((&json["path"], &json["quintet"]), (&"mine".into(), &checkout.as_str().into()));
    let files = json["files"].as_array().unwrap();
    assert!(files.contains(&"src/contract.rs".into()), "{json}");
    let folder = temp.path().join("mine");
    assert!(files.iter().all(|file| folder.join(file.as_str().unwrap()).is_file()));

    let (code, output) = new(temp.path(), &arguments);
    let expected = "quintet: mine is not empty: give another folder by --path\n";
    assert_eq!((code, &*output), (Some(1), expected));
}

#[test]
fn bad_arguments_are_refused_in_one_line_and_nothing_is_written() {
    let temp = empty();
    fs::write(temp.path().join("file"), "mine").unwrap();
    let refused = |arguments: &[&str], expected: i32, why: &str| {
        let (code, output) = new(temp.path(), arguments);
        assert_eq!(code, Some(expected), "{output}");
        assert!(output.contains(why), "{output}");
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
