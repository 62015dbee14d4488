//! Checks that each name at the root of the crate occurs in an example that is compiled.

use std::{collections::BTreeSet, fs, path::Path};

use syn::{Item, UseTree, Visibility};

/// Modules at the root. Their items have examples where they are declared.
const MODULES: [&str; 1] = ["http"];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    let names = entries.expect("a folder").map(|entry| entry.expect("an entry").file_name());
    names.map(|name| format!("{folder}/{}", name.to_string_lossy())).collect()
}

/// The names of the items that this file re-exports, without whole crates.
fn re_exported(file: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for item in syn::parse_file(file).expect("Rust").items {
        let Item::Use(item) = item else { continue };
        if let (Visibility::Public(_), UseTree::Path(path)) = (item.vis, item.tree) {
            leaves(&path.tree, &mut names);
        }
    }
    names
}

fn leaves(tree: &UseTree, names: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => leaves(&path.tree, names),
        UseTree::Name(name) => {
            names.insert(name.ident.to_string());
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, names)),
        UseTree::Rename(_) | UseTree::Glob(_) => panic!("an item is re-exported by its name"),
    }
}

/// The words of the code blocks in a page that rustdoc compiles.
fn words_of_examples(page: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let blocks = page.split("```").skip(1).step_by(2);
    for block in blocks {
        let (language, code) = block.split_once('\n').unwrap_or_default();
        if ["", "rust", "no_run"].contains(&language) {
            words.extend(code.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned));
        }
    }
    words
}

#[test]
fn each_name_at_the_root_is_in_an_example() {
    let mut pages = files("docs");
    pages.extend(["tutorial/tutorial.md", "src/text_enum.rs"].map(str::to_owned));
    let words: BTreeSet<String> =
        pages.iter().flat_map(|page| words_of_examples(&read(page))).collect();
    let names = re_exported(&read("src/lib.rs"));
    assert!(names.contains("Participant"), "{names:?}");
    let is_missing = |name: &&String| !words.contains(*name) && !MODULES.contains(&name.as_str());
    let missing: Vec<_> = names.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "in no example: {missing:?}");
}

#[test]
fn only_code_blocks_in_rust_count_as_examples() {
    let words =
        words_of_examples("```toml\nport = 1\n```\ntext\n```\nlet rows = Rows::new();\n```\n");
    assert_eq!(words.into_iter().collect::<Vec<_>>(), ["", "Rows", "let", "new", "rows"]);
}
