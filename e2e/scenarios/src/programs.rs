//! Builds the program under test, once for each test process.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

const PACKAGE: &str = "quintet-cli";
const PROGRAM: &str = "quintet";
/// The feature that compiles the crash points into the services.
const CRASH_POINTS: &str = "crash-points";

/// The path of the program, which is built first if it is not up to date.
pub(crate) fn quintet() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(build);
    &BUILT
}

/// The path of the program with crash points. It is copied to a folder of its own, because the next build without crash points
/// would replace it.
pub(crate) fn with_crash_points() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let built = run_cargo(CRASH_POINTS);
        let folder = built.join(CRASH_POINTS);
        fs::create_dir_all(&folder).expect("a folder");
        let program = folder.join(PROGRAM);
        // The old program is removed first: a program that is running cannot be overwritten.
        let _ = fs::remove_file(&program);
        fs::copy(built.join(PROGRAM), &program).expect("the program was built");
        program
    });
    &BUILT
}

/// The environment variable that names a folder with a built program.
const PROGRAMS: &str = "QUINTET_TEST_PROGRAMS";

fn build() -> PathBuf {
    if let Some(folder) = env::var_os(PROGRAMS) {
        return Path::new(&folder).join(PROGRAM);
    }
    run_cargo("").join(PROGRAM)
}

/// Builds with the profile and into the folder of the running test, and returns that folder.
fn run_cargo(features: &str) -> PathBuf {
    let test = env::current_exe().expect("the path of this test");
    // The path is TARGET/PROFILE/deps/TEST, or TARGET/PROFILE/PROGRAM for a program such as crash-matrix.
    let folder = test.parent().expect("a program lies in a folder");
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
    let status = command.status().expect("cargo can be started");
    assert!(status.success(), "cargo cannot build the program under test");
    folder.to_owned()
}
