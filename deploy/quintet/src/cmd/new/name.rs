//! The name of a new saga.

use std::str::FromStr;

/// The name of a saga. It becomes the name of a package, of a crate (with `_` for `-`) and of a suite, and the prefix of
/// environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

/// Why a text cannot be the name of a saga.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum NameError {
    #[error(
        "use at most {LONGEST} of a-z, 0-9 and `-`, a letter first, such as `shop` or `box-office`"
    )]
    Unfit,
    #[error("the word belongs to Rust or Cargo: give another name, such as `{0}-saga`")]
    Reserved(String),
    #[error("the saga depends on a package of this name: give another, such as `{0}-saga`")]
    Dependency(String),
}

/// The longest name that a suite's manifest takes.
const LONGEST: usize = 32;

/// Keywords of Rust, its own crates, and folders in which Cargo builds.
const RESERVED: &str = "abstract alloc as async await become box break build const continue core \
    crate deps do dyn else enum examples extern false final fn for gen if impl in incremental let \
    loop macro match mod move mut override priv proc-macro pub ref return self static std struct \
    super test trait true try type typeof unsafe unsized use virtual where while yield";

/// The dependencies in the template's Cargo.toml. A package cannot depend on one of its own name.
const DEPENDENCIES: [&str; 3] = ["quintet", "quintet-test", "serde"];

impl Name {
    /// The name of the package: `box-office`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the crate: `box_office`.
    pub(crate) fn crate_name(&self) -> String {
        self.0.replace('-', "_")
    }

    /// The prefix of environment variables: `BOX_OFFICE`.
    pub(crate) fn variable_prefix(&self) -> String {
        self.crate_name().to_uppercase()
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let begins_well = text.starts_with(|first: char| first.is_ascii_lowercase());
        if !begins_well || !text.bytes().all(fits) || text.len() > LONGEST {
            return Err(NameError::Unfit);
        }
        if RESERVED.split_whitespace().any(|word| word == text) {
            return Err(NameError::Reserved(text.to_owned()));
        }
        if DEPENDENCIES.contains(&text) {
            return Err(NameError::Dependency(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_spelling_for_packages_crates_and_variables() {
        let name: Name = "box-office".parse().unwrap();
        assert_eq!(name.as_str(), "box-office");
        assert_eq!(name.crate_name(), "box_office");
        assert_eq!(name.variable_prefix(), "BOX_OFFICE");
    }

    #[test]
    fn a_name_that_no_package_crate_or_suite_can_have_is_refused() {
        let fault = |text: &str| text.parse::<Name>().unwrap_err();
        let long = "a".repeat(LONGEST + 1);
        for unfit in ["", "Shop", "2shop", "-shop", "box_office", "a b", "../shop", "café", &long]
        {
            assert_eq!(fault(unfit), NameError::Unfit, "{unfit}");
        }
        for word in ["fn", "test", "deps", "proc-macro"] {
            assert_eq!(fault(word), NameError::Reserved(word.to_owned()));
        }
        assert_eq!(fault("serde"), NameError::Dependency("serde".to_owned()));
    }
}
