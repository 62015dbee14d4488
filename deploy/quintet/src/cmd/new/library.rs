//! Where a new saga takes the library from.

use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The packages that a saga depends on, by their folders in a checkout.
const FACADE: &str = "shared/quintet";
const TEST: &str = "shared/test";
const LOCK: &str = "Cargo.lock";

/// Where a new saga takes the library from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// This checkout.
    Checkout(PathBuf),
    /// The package registry, in the version of this command.
    Registry,
}

impl Library {
    /// The checkout that is given, else the one that this command was built in, else the registry.
    pub(crate) fn find(given: Option<&Path>) -> Result<Self> {
        if let Some(given) = given {
            ensure!(
                is_checkout(given),
                "--quintet {}: there is no {FACADE}/Cargo.toml: give the root of a checkout of quintet",
                given.display()
            );
            let root = given.canonicalize().context("--quintet")?;
            return Ok(Self::Checkout(root));
        }
        let executable = std::env::current_exe().unwrap_or_default();
        Ok(built_in(&executable).map_or(Self::Registry, |root| Self::Checkout(root.to_owned())))
    }

    /// The root of the checkout, if it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Checkout(root) => Some(root),
            Self::Registry => None,
        }
    }

    /// What a manifest says of the facade.
    pub(crate) fn facade(&self) -> Result<String> {
        self.dependency(FACADE)
    }

    /// What a manifest says of the library for tests.
    pub(crate) fn test(&self) -> Result<String> {
        self.dependency(TEST)
    }

    fn dependency(&self, folder: &str) -> Result<String> {
        let Self::Checkout(root) = self else {
            return Ok(concat!("\"", env!("CARGO_PKG_VERSION"), "\"").to_owned());
        };
        let path = root.join(folder);
        let path = path.to_str().with_context(|| {
            format!("{}: the path is not UTF-8: give another checkout by --quintet", path.display())
        })?;
        // A string of JSON is one of TOML.
        Ok(format!("{{ path = {} }}", serde_json::to_string(path)?))
    }

    /// The versions of other packages that the checkout was tested with, as a file of the saga. Cargo adds what is missing
    /// and takes out what is not needed.
    pub(crate) fn lock(&self) -> Result<Option<(String, String)>> {
        let Some(path) = self.path().map(|root| root.join(LOCK)).filter(|path| path.is_file())
        else {
            return Ok(None);
        };
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Some((LOCK.to_owned(), text)))
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkout(root) => root.display().fmt(f),
            Self::Registry => {
                write!(f, "the package registry (quintet {})", env!("CARGO_PKG_VERSION"))
            }
        }
    }
}

fn is_checkout(root: &Path) -> bool {
    root.join(FACADE).join("Cargo.toml").is_file()
}

/// The checkout in whose folder `target` the executable lies.
fn built_in(executable: &Path) -> Option<&Path> {
    let targets = executable.ancestors().filter(|it| it.file_name() == Some(OsStr::new("target")));
    targets.filter_map(Path::parent).find(|root| is_checkout(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like a checkout.
    fn checkout() -> tempfile::TempDir {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join(FACADE)).unwrap();
        fs::write(temp.path().join(FACADE).join("Cargo.toml"), "").unwrap();
        temp
    }

    #[test]
    fn an_executable_below_target_of_a_checkout_was_built_in_it() {
        let temp = checkout();
        let of = |path: &str| built_in(&temp.path().join(path)).map(Path::to_owned);
        let root = Some(temp.path().to_owned());
        assert_eq!(of("target/debug/quintet"), root);
        assert_eq!(of("target/x86_64-unknown-linux-gnu/release/quintet"), root);
        assert_eq!(of("bin/quintet"), None);
        assert_eq!(built_in(Path::new("/usr/bin/quintet")), None);
        assert_eq!(built_in(Path::new("")), None);
    }

    #[test]
    fn a_checkout_is_named_by_its_path_and_the_registry_by_the_version() {
        let odd = Library::Checkout("/it's \"mine\"".into());
        assert_eq!(odd.facade().unwrap(), r#"{ path = "/it's \"mine\"/shared/quintet" }"#);
        let registry = Library::Registry.test().unwrap();
        assert_eq!(registry, format!("{:?}", env!("CARGO_PKG_VERSION")));
        assert_eq!(Library::Registry.lock().unwrap(), None);
    }

    #[test]
    fn a_path_that_is_given_must_be_a_checkout() {
        let (temp, other) = (checkout(), tempfile::tempdir().unwrap());
        let root = temp.path().canonicalize().unwrap();
        assert_eq!(Library::find(Some(temp.path())).unwrap(), Library::Checkout(root));
        let error = Library::find(Some(other.path())).unwrap_err().to_string();
        assert!(error.contains("there is no shared/quintet/Cargo.toml: give the root"), "{error}");
    }
}
