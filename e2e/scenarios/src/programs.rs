//! The program under test, built once a test process.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

const PACKAGE: &str = "quintet-cli";
const PROGRAM: &str = "quintet";
/// The feature that compiles the crash points in.
const CRASH_POINTS: &str = "crash-points";

/// The program, up to date.
pub(crate) fn quintet() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(build);
    &BUILT
}

/// The same, of which the services die where they are told to. In a folder of its own, so that the
/// next build without crash points does not take it away.
pub(crate) fn with_crash_points() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let built = run_cargo(CRASH_POINTS);
        let folder = built.join(CRASH_POINTS);
        fs::create_dir_all(&folder).expect("a folder");
        let program = folder.join(PROGRAM);
        // Not written over: it may be running.
        let _ = fs::remove_file(&program);
        fs::copy(built.join(PROGRAM), &program).expect("the program was built");
        program
    });
    &BUILT
}

/// Names a folder with a program that is built already, to be taken as it is.
const PROGRAMS: &str = "QUINTET_TEST_PROGRAMS";

fn build() -> PathBuf {
    if let Some(folder) = env::var_os(PROGRAMS) {
        return Path::new(&folder).join(PROGRAM);
    }
    run_cargo("").join(PROGRAM)
}

/// Builds with the profile and into the folder of this program, which it answers.
fn run_cargo(features: &str) -> PathBuf {
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
    command.args(["build", "--quiet", "--package", PACKAGE, "--profile", profile]);
    command.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    command.arg("--target-dir").arg(target);
    command.args(["--features", features]);
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "cargo cannot build the program under test");
    folder.to_owned()
}
