//! The programs under test, built once a test process.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

const PACKAGES: [&str; 7] =
    ["quintet", "order", "inventory", "payment", "shipping", "notification", "sandbox"];
/// Those of them that can be built with crash points.
const SERVICES: [&str; 5] = crate::SERVICES;
/// The feature that compiles the crash points in.
const CRASH_POINTS: &str = "crash-points";

/// The `quintet` command, up to date, with its siblings beside it.
pub(crate) fn quintet() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(build);
    &BUILT
}

/// The same, of which the services die where they are told to. In a folder of their own, so that the
/// next build without crash points does not take them away.
pub(crate) fn with_crash_points() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let built = run_cargo(&SERVICES.map(|service| format!("{service}/{CRASH_POINTS}")));
        let folder = built.join(CRASH_POINTS);
        fs::create_dir_all(&folder).expect("a folder");
        let programs = PACKAGES.iter().map(|package| match *package {
            "quintet" => "quintet".to_owned(),
            other => format!("quintet-{other}"),
        });
        for program in programs {
            // Not written over: it may be running.
            let _ = fs::remove_file(folder.join(&program));
            fs::copy(built.join(&program), folder.join(&program)).expect("a program was built");
        }
        folder.join("quintet")
    });
    &BUILT
}

/// Names a folder with programs that are built already, to be taken as they are.
const PROGRAMS: &str = "QUINTET_TEST_PROGRAMS";

fn build() -> PathBuf {
    if let Some(folder) = env::var_os(PROGRAMS) {
        return Path::new(&folder).join("quintet");
    }
    run_cargo(&[]).join("quintet")
}

/// Builds with the profile and into the folder of this program, which it answers.
fn run_cargo(features: &[String]) -> PathBuf {
    let this = env::current_exe().expect("the program knows where it lies");
    // TARGET/PROFILE/PROGRAM, of a test TARGET/PROFILE/deps/TEST
    let folder = this.parent().expect("a program lies in a folder");
    let folder = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    let folder = folder.expect("a test lies in target/…/deps");
    let target = folder.parent().expect("a profile's folder lies in the target folder");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--bins", "--profile", profile]);
    command.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    command.arg("--target-dir").arg(target);
    for package in PACKAGES {
        command.args(["--package", package]);
    }
    command.args(["--features", &features.join(",")]);
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "cargo cannot build the programs under test");
    folder.to_owned()
}
