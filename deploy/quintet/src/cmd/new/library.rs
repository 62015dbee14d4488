//! Where a new saga takes the library from: a checkout of this repository, or the package registry.

use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of the packages that a saga depends on.
const FACADE: &str = "shared/quintet";
const TEST: &str = "shared/test";
const LOCK: &str = "Cargo.lock";

/// Where a new saga takes the library from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// A checkout with this root.
    Checkout(PathBuf),
    /// The package registry, at the version of this command.
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

    /// The root of the checkout; `None` for the registry.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Checkout(root) => Some(root),
            Self::Registry => None,
        }
    }

    /// The facade as a dependency in a saga's Cargo.toml.
    pub(crate) fn facade(&self) -> Result<String> {
        self.dependency(FACADE)
    }

    /// The library for tests as a dependency in a saga's Cargo.toml.
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
        // JSON escapes a path in a way that TOML's basic strings understand too.
        Ok(format!("{{ path = {} }}", serde_json::to_string(path)?))
    }

    /// The checkout's `Cargo.lock` for the saga, so that the saga builds with the versions that the checkout was tested with.
    /// Cargo adds packages that are missing in it and removes those that the saga does not need.
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

/// The root of the checkout whose folder `target` contains the executable.
fn built_in(executable: &Path) -> Option<&Path> {
    let targets = executable.ancestors().filter(|it| it.file_name() == Some(OsStr::new("target")));
    targets.filter_map(Path::parent).find(|root| is_checkout(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that passes for a checkout.
    fn checkout() -> tempfile::TempDir {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join(FACADE)).unwrap();
        fs::write(temp.path().join(FACADE).join("Cargo.toml"), "").unwrap();
        temp
    }

    #[test]
    fn an_executable_in_the_target_folder_of_a_checkout_was_built_in_it() {
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
    fn a_checkout_is_a_path_dependency_and_the_registry_a_version() {
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
