//! Checks that the library in `shared/` is independent of the order saga: it depends on no package outside of `shared/`, and
//! its sources name nothing of that saga. Also checks that the saga's services depend only on the library's facade.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

/// Names of the order saga beside those of its contract. They are forbidden anywhere in a line.
const NAMES: [&str; 7] =
    ["order_id", "OrderId", "OrderSaga", "PRODUCTS", "Currency", "order's", "order saga"];
/// Names that are forbidden only as whole words, since they may be part of other words.
const WORDS: [&str; 7] =
    ["sku", "Sku", "SKU", "skus", "PaymentMethod", "CancelReason", "ShippingAddress"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

fn shared() -> PathBuf {
    repository().join("shared")
}

/// The names that the sources of the library must not contain.
struct Forbidden {
    /// Parts of a line.
    parts: Vec<String>,
    /// Whole words.
    words: Vec<String>,
}

impl Forbidden {
    /// All names of a contract, read from its table, and [`NAMES`] and [`WORDS`].
    fn of(table: &str) -> Self {
        let entries: Vec<Entry> = table.lines().filter_map(Entry::read).collect();
        let literal = |name: &str| format!("\"{name}\"");
        // The names of services and topics are ordinary words, such as `order`. They are forbidden only in quotes, as texts
        // and as names in code.
        let marked = |name: &str| format!("`{name}`");
        let mut parts: Vec<String> = NAMES.map(ToOwned::to_owned).into();
        for Entry { name, publisher, topic, folder } in entries {
            let service = format!("{}Service", capitalised(publisher));
            parts.extend([name.to_owned(), folder.to_owned(), service]);
            parts.extend([literal(publisher), literal(topic), marked(publisher), marked(topic)]);
        }
        parts.sort();
        parts.dedup();
        Self { parts, words: WORDS.map(ToOwned::to_owned).into() }
    }

    /// The first forbidden name in this line.
    fn in_line(&self, line: &str) -> Option<&str> {
        let part = self.parts.iter().find(|part| line.contains(part.as_str()));
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        let word = || words.find_map(|word| self.words.iter().find(|known| *known == word));
        part.or_else(word).map(String::as_str)
    }

    /// A message for each line of a text with a forbidden name.
    fn found_in(&self, file: &str, text: &str) -> Vec<String> {
        let lines = text.lines().enumerate();
        let found = lines.filter_map(|(nth, line)| {
            let name = self.in_line(line)?;
            Some(format!("{file}:{}: {name} belongs to the order saga: {}", nth + 1, line.trim()))
        });
        found.collect()
    }
}

/// An entry of the contract's table: `NAME [about FIELD] by "PUBLISHER" on "TOPIC" in "FOLDER": …`.
struct Entry<'a> {
    name: &'a str,
    publisher: &'a str,
    topic: &'a str,
    folder: &'a str,
}

impl<'a> Entry<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let name = line.split_whitespace().next()?;
        let between = |before: &str| line.split_once(before)?.1.split('"').next();
        let (publisher, topic) = (between(" by \"")?, between(" on \"")?);
        Some(Self { name, publisher, topic, folder: between(" in \"")? })
    }
}

fn capitalised(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

/// The files below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn contract() -> String {
    fs::read_to_string(shared().join("../schemas/src/events.rs")).expect("the contract")
}

#[test]
fn no_source_of_the_library_contains_a_name_of_the_order_saga() {
    let forbidden = Forbidden::of(&contract());
    let mut found = Vec::new();
    for package in fs::read_dir(shared()).expect("the library") {
        let mut sources = Vec::new();
        files(&package.expect("a package").path().join("src"), &mut sources);
        for path in sources {
            let text = fs::read_to_string(&path).expect("a text");
            let file = path.strip_prefix(shared()).expect("below shared").display().to_string();
            found.extend(forbidden.found_in(&format!("shared/{file}"), &text));
        }
    }
    assert!(
        found.is_empty(),
        "the library serves any saga: speak of aggregates, or of another saga's things:\n{}",
        found.join("\n")
    );
}

#[test]
fn all_names_of_the_contract_are_read() {
    let (forbidden, table) = (Forbidden::of(&contract()), contract());
    let entries = table.lines().filter(|line| line.contains(" by \"")).count();
    let names = table.lines().filter_map(Entry::read).count();
    assert!(entries > 0 && names == entries, "{names} of {entries} entries are read");
    for name in ["OrderPlaced", "stock_reserved", "\"shipping\"", "\"products\"", "PaymentService"]
    {
        assert!(forbidden.parts.iter().any(|part| part == name), "{name}");
    }
}

#[test]
fn each_form_of_a_name_of_the_order_saga_is_found() {
    let forbidden = Forbidden::of(&contract());
    for bad in [
        "    pub order_id: Uuid,",
        "/// The first `OrderPlacedV1` of all.",
        "// StockReserved comes first",
        "let topic = PRODUCTS_TOPIC;",
        "Self::named(\"payment\")",
        "/// The service `order`.",
        "use notification::NotificationService;",
        "/// An order's row.",
        "/// One SKU each.",
        "fn price(currency: Currency) {}",
        "    sku: String,",
        "include_str!(\"order_placed/v1.json\")",
    ] {
        assert!(forbidden.in_line(bad).is_some(), "{bad}");
    }
    for fine in [
        "let order = (first..last).chain(0..first);",
        "select id from outbox order by id",
        "/// Records of one key keep their order.",
        "use std::sync::atomic::Ordering;",
        "let risk = skulk();",
        "/// A trip is booked: `TripBooked`.",
    ] {
        assert_eq!(forbidden.in_line(fine), None, "{fine}");
    }
    let found = forbidden.found_in("shared/bus/src/lib.rs", "//! A bus.\n\nuse OrderId;\n");
    assert_eq!(found, ["shared/bus/src/lib.rs:3: OrderId belongs to the order saga: use OrderId;"]);
}

/// A dependency of one of the repository's packages.
struct Dependency<'m> {
    from: &'m str,
    to: &'m str,
    /// The folder of the package, if it is in this repository.
    path: Option<&'m Path>,
    /// `normal`, `dev` or `build`.
    kind: &'m str,
}

impl fmt::Display for Dependency<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} depends on {} ({})", self.from, self.to, self.kind)
    }
}

/// The dependencies of the packages below a folder.
fn dependencies<'m>(metadata: &'m Value, folder: &'m Path) -> impl Iterator<Item = Dependency<'m>> {
    packages(metadata, folder).flat_map(|package| {
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        dependencies.iter().map(|dependency| Dependency {
            from: text(&package["name"]),
            to: text(&dependency["name"]),
            path: dependency["path"].as_str().map(Path::new),
            kind: dependency["kind"].as_str().unwrap_or("normal"),
        })
    })
}

/// The packages below a folder.
fn packages<'m>(metadata: &'m Value, folder: &'m Path) -> impl Iterator<Item = &'m Value> {
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .filter(move |package| Path::new(text(&package["manifest_path"])).starts_with(folder))
}

/// The dependencies of packages below a folder on packages of this repository outside of the folder.
fn outside(metadata: &Value, folder: &Path) -> Vec<String> {
    let elsewhere =
        |dependency: &Dependency| dependency.path.is_some_and(|path| !path.starts_with(folder));
    dependencies(metadata, folder)
        .filter(elsewhere)
        .map(|dependency| dependency.to_string())
        .collect()
}

/// The dependencies of packages below a folder on packages of the library other than its facade. Dependencies of tests do
/// not count.
fn past_the_facade(metadata: &Value, folder: &Path) -> Vec<String> {
    let past =
        |dependency: &Dependency| dependency.kind != "dev" && dependency.to.starts_with("quintet-");
    dependencies(metadata, folder).filter(past).map(|dependency| dependency.to_string()).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Cargo's metadata of this repository's packages.
fn metadata() -> Value {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let output = command.current_dir(shared()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn no_package_of_the_library_depends_on_one_outside() {
    let (metadata, shared) = (metadata(), shared());
    let folders = fs::read_dir(&shared).expect("the library").count();
    let packages = packages(&metadata, &shared).count();
    assert_eq!(packages, folders, "each folder of shared/ is a package of the workspace");
    let found = outside(&metadata, &shared);
    assert!(found.is_empty(), "the library depends on packages outside:\n{}", found.join("\n"));
}

#[test]
fn each_service_depends_only_on_the_facade_of_the_library() {
    let metadata = metadata();
    for folder in ["services", "e2e/loyalty"].map(|folder| repository().join(folder)) {
        assert_ne!(packages(&metadata, &folder).count(), 0, "in {}", folder.display());
        let found = past_the_facade(&metadata, &folder);
        let fix = "import from `quintet`, and re-export missing names there";
        assert!(found.is_empty(), "{fix}:\n{}", found.join("\n"));
    }
}

#[test]
fn a_dependency_on_a_package_outside_is_found() {
    let depending = |path: &str, kind: Value| {
        json!({ "packages": [
            { "name": "quintet-bus", "manifest_path": "/w/shared/bus/Cargo.toml",
              "dependencies": [
                { "name": "tokio", "kind": null },
                { "name": "other", "path": path, "kind": kind }] },
            { "name": "order", "manifest_path": "/w/services/order/Cargo.toml",
              "dependencies": [{ "name": "contracts", "path": "/w/schemas", "kind": null }] },
        ] })
    };
    let found = |path, kind| outside(&depending(path, kind), Path::new("/w/shared"));
    assert_eq!(found("/w/shared/clock", Value::Null), Vec::<String>::new());
    for (kind, name) in [(Value::Null, "normal"), (json!("dev"), "dev"), (json!("build"), "build")]
    {
        assert_eq!(found("/w/schemas", kind), [format!("quintet-bus depends on other ({name})")]);
    }
}

#[test]
fn a_dependency_past_the_facade_is_found() {
    let found = |name, kind| {
        let metadata = json!({ "packages": [
            { "name": "order", "manifest_path": "/w/services/order/Cargo.toml",
              "dependencies": [{ "name": name, "path": "/w/shared/it", "kind": kind }] },
            { "name": "quintet", "manifest_path": "/w/shared/quintet/Cargo.toml",
              "dependencies": [{ "name": "quintet-bus", "path": "/w/shared/bus", "kind": null }] },
        ] });
        past_the_facade(&metadata, Path::new("/w/services"))
    };
    for fine in [found("quintet", Value::Null), found("quintet-testkit", json!("dev"))] {
        assert_eq!(fine, Vec::<String>::new());
    }
    let bad = found("quintet-engine", Value::Null);
    assert_eq!(bad, ["order depends on quintet-engine (normal)"]);
    let bad = found("quintet-engine", json!("build"));
    assert_eq!(bad, ["order depends on quintet-engine (build)"]);
}
