//! The programs under test, built once a test process.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

const PACKAGES: [&str; 7] =
    ["quintet", "order", "inventory", "payment", "shipping", "notification", "sandbox"];

/// The `quintet` command, up to date, with its siblings beside it.
pub(crate) fn quintet() -> &'static Path {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(build);
    &BUILT
}

/// Names a folder with programs that are built already, to be taken as they are.
const PROGRAMS: &str = "QUINTET_TEST_PROGRAMS";

/// Builds with the profile and into the folder of this test.
fn build() -> PathBuf {
    if let Some(folder) = env::var_os(PROGRAMS) {
        return Path::new(&folder).join("quintet");
    }
    let test = env::current_exe().expect("the test knows where it lies");
    // TARGET/PROFILE/deps/TEST
    let folder = test.parent().and_then(Path::parent).expect("a test lies in target/…/deps");
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
    let status = command.status().expect("cargo runs");
    assert!(status.success(), "cargo cannot build the programs under test");
    folder.join("quintet")
}
