//! How the user runs this command: `quintet`, or `cargo run --` in a checkout. Messages and reports print it so that it can
//! be copied.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};

/// The name of this program in messages, unless [`call_this`] has set another.
const NAME: &str = "quintet";

static NAMED: OnceLock<&'static str> = OnceLock::new();

/// Sets the name of this program in messages. Only the first call has an effect.
pub(crate) fn call_this(name: &'static str) {
    let _ = NAMED.set(name);
}

/// The name of this program in messages.
#[must_use]
pub fn name() -> &'static str {
    NAMED.get().copied().unwrap_or(NAME)
}

/// The command line of a sub-command with its arguments.
#[must_use]
pub fn command(arguments: &str) -> String {
    within(checkout().is_some(), arguments)
}

/// The command line that starts a suite; `data` is [`crate::DataDir::argument`].
#[must_use]
pub fn start(data: &str) -> String {
    match checkout() {
        Some(_) if data.is_empty() => "cargo run".to_owned(),
        found => within(found.is_some(), &format!("up{data}")),
    }
}

/// The root of the checkout that this program was built in and runs from.
pub(crate) fn checkout() -> Option<&'static Path> {
    static FOUND: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| checkout_of(&std::env::current_exe().ok()?).map(Path::to_owned));
    FOUND.as_deref()
}

/// The root of the checkout, if the executable is in its `target/<profile>/`.
fn checkout_of(executable: &Path) -> Option<&Path> {
    let target = executable.parent()?.parent()?;
    let root = target.parent()?;
    let found =
        target.file_name() == Some(OsStr::new("target")) && root.join("Cargo.toml").is_file();
    found.then_some(root)
}

/// The path as one word of a shell's command line.
#[must_use]
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    // Quoting fails only for a NUL, which no path contains.
    shlex::try_quote(&text).map_or_else(|_| text.clone(), std::borrow::Cow::into_owned)
}

fn within(checkout: bool, arguments: &str) -> String {
    format!("{} {arguments}", if checkout { "cargo run --" } else { name() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_runs_the_command_by_cargo() {
        assert_eq!(within(true, "events"), "cargo run -- events");
        assert_eq!(within(false, "events"), "quintet events");
    }

    #[test]
    fn an_executable_below_target_of_a_workspace_is_in_a_checkout() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path();
        let of = |path: &str| checkout_of(&root.join(path)).map(Path::to_owned);
        assert_eq!(of("target/debug/quintet"), None, "there is no Cargo.toml");
        std::fs::write(root.join("Cargo.toml"), "[workspace]").unwrap();
        assert_eq!(of("target/debug/quintet").as_deref(), Some(root));
        assert_eq!(of("target/profiling/quintet").as_deref(), Some(root));
        assert_eq!(of("bin/debug/quintet"), None);
        assert_eq!(of("target/debug/deps/quintet"), None);
        assert_eq!(checkout_of(Path::new("/quintet")), None);
    }

    #[test]
    fn a_path_with_spaces_or_quotes_is_one_word() {
        assert_eq!(quoted(Path::new("../.quintet")), "../.quintet");
        assert_eq!(quoted(Path::new("my data")), "'my data'");
        assert_eq!(quoted(Path::new("it's")), "\"it's\"");
    }
}
