//! How the user runs this command: `quintet`, or `cargo run --` in a checkout. Messages and reports print it so that it can
//! be copied.

use crate::checkout::Checkout;
use std::path::Path;

/// The command line of a sub-command with its arguments.
pub(crate) fn command(arguments: &str) -> String {
    within(Checkout::of_this_program().is_some(), arguments)
}

/// The command line that starts a suite; `data` is [`crate::datadir::DataDir::argument`].
pub(crate) fn start(data: &str) -> String {
    match Checkout::of_this_program() {
        Some(_) if data.is_empty() => "cargo run".to_owned(),
        found => within(found.is_some(), &format!("up{data}")),
    }
}

/// The path as one word of a shell's command line.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    // Only a NUL cannot be quoted, and no path holds one.
    shlex::try_quote(&text).map_or_else(|_| text.clone(), std::borrow::Cow::into_owned)
}

fn within(checkout: bool, arguments: &str) -> String {
    format!("{} {arguments}", if checkout { "cargo run --" } else { "quintet" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_runs_the_command_by_cargo() {
        assert_eq!(within(true, "orders"), "cargo run -- orders");
        assert_eq!(within(false, "orders"), "quintet orders");
    }

    #[test]
    fn a_path_with_spaces_or_quotes_is_one_word() {
        assert_eq!(quoted(Path::new("../.quintet")), "../.quintet");
        assert_eq!(quoted(Path::new("my data")), "'my data'");
        assert_eq!(quoted(Path::new("it's")), "\"it's\"");
    }
}
