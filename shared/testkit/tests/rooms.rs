//! The rooms of the engine import only those that the list in ARCHITECTURE.md grants them, and none that imports them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

type Imports = BTreeMap<String, BTreeSet<String>>;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The list under "The engine's rooms": each line names a room, an arrow, and the rooms that it imports.
fn listed() -> Imports {
    let page = fs::read_to_string(repository().join("ARCHITECTURE.md")).expect("the page");
    let (_, section) = page.split_once("## The engine's rooms").expect("the section");
    let section = section.split("\n## ").next().unwrap_or(section);
    let lines = section.lines().filter_map(|line| line.split_once(" → "));
    lines
        .map(|(room, imports)| {
            let imports = imports.split(", ").map(|name| name.trim().to_owned());
            (room.trim().to_owned(), imports.filter(|name| name != "nothing").collect())
        })
        .collect()
}

/// The room of a module of the crate: a folder, `alarms`, or `base`, which is all other files at the root.
fn room_of(module: &str) -> String {
    let folder = repository().join("shared/engine/src").join(module);
    if folder.is_dir() || module == "alarms" { module.to_owned() } else { "base".to_owned() }
}

/// The modules that `lib.rs` takes its public names from.
fn public_names(lib: &str) -> BTreeMap<&str, &str> {
    let mut names = BTreeMap::new();
    for statement in lib.split("pub use ").skip(1) {
        let Some((module, rest)) = statement.split_once("::") else { continue };
        let rest = rest.split(';').next().unwrap_or_default();
        for name in
            rest.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|it| !it.is_empty())
        {
            names.insert(name, module);
        }
    }
    names
}

/// The first names of all paths that begin with `crate::` in this source.
fn crate_names(source: &str) -> BTreeSet<String> {
    let code: Vec<&str> =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut names = BTreeSet::new();
    for path in code.split("crate::").skip(1) {
        if let Some(list) = path.strip_prefix('{') {
            names.extend(outer_names(list));
        } else {
            names.insert(first_name(path));
        }
    }
    names
}

/// The names in a list of imports up to its closing brace, without those in braces of their own.
fn outer_names(list: &str) -> Vec<String> {
    let (mut depth, mut outer) = (1, String::new());
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 1 => outer.push(c),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    let names = outer.split(',').map(|path| first_name(path.trim()));
    names.filter(|name| !name.is_empty()).collect()
}

fn first_name(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// What each room imports, by its sources.
fn imported() -> Imports {
    let source_folder = repository().join("shared/engine/src");
    let lib = fs::read_to_string(source_folder.join("lib.rs")).expect("lib.rs");
    let public = public_names(&lib);
    let mut found = Vec::new();
    sources(&source_folder, &mut found);
    let mut imports = Imports::new();
    for path in found.into_iter().filter(|path| !path.ends_with("lib.rs")) {
        let module = path.strip_prefix(&source_folder).expect("a source").components().next();
        let module = module.expect("a name").as_os_str().to_string_lossy().replace(".rs", "");
        let room = room_of(&module);
        let names = crate_names(&fs::read_to_string(&path).expect("a source"));
        // The two macros of `lib.rs` stand for points in the code, not for a room.
        let names =
            names.iter().filter(|name| !["crash_point", "inject_bug"].contains(&name.as_str()));
        let rooms = names.map(|name| room_of(public.get(name.as_str()).unwrap_or(&name.as_str())));
        let rooms: BTreeSet<String> = rooms.filter(|other| *other != room).collect();
        imports.entry(room).or_default().extend(rooms);
    }
    imports
}

#[test]
fn rooms_import_what_the_architecture_lists() {
    assert_eq!(imported(), listed());
}

#[test]
fn no_room_imports_one_that_imports_it() {
    let mut left = listed();
    while !left.is_empty() {
        let resolved: Vec<String> = left
            .iter()
            .filter(|(_, imports)| imports.iter().all(|name| !left.contains_key(name)))
            .map(|(room, _)| room.clone())
            .collect();
        assert!(!resolved.is_empty(), "these rooms import each other in a circle: {left:?}");
        left.retain(|room, _| !resolved.contains(room));
    }
}

#[test]
fn names_in_braces_of_their_own_are_part_of_a_path() {
    let source = "use crate::{\n    Engine, batch::{self, retry::{A, B}},\n};\nfn f() { crate::rows::g() } // crate::no\n";
    let names = ["Engine", "batch", "no", "rows"].map(ToOwned::to_owned);
    assert_eq!(crate_names(source), BTreeSet::from(names));
}
