//! Checks that the code in the tutorial is that of its files, with which the other steps are compiled.

use std::{fs, path::Path};

#[test]
fn each_step_shows_its_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tutorial");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a file of the tutorial");
    let tutorial = read("tutorial.md");
    for name in ["contract", "rows", "printer", "press", "service"] {
        let code = read(&format!("{name}.rs"));
        assert!(tutorial.contains(code.trim_end()), "tutorial.md shows another {name}.rs");
    }
}

#[test]
fn the_schemas_and_the_types_of_the_tutorial_accept_the_same_data() {
    mod contract {
        include!("../tutorial/contract.rs");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tutorial/schemas");
    quintet_test::conformance::schemas::<contract::Event>(&folder);
}
