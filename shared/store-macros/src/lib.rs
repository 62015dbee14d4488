//! Reads a folder of migrations at compile time, for the macro `store::migrations!`, which expands to the one
//! here.

mod folder;

use std::{env, fmt::Write as _, path::Path};

use proc_macro::{TokenStream, TokenTree};

use crate::folder::{File, Folder};

/// Embeds the migrations below a folder of the calling crate, in an expression that names
/// `QuintetMigration` and `QuintetMigrations`: `store::migrations!` brings both into scope.
#[proc_macro]
pub fn embed_migrations(input: TokenStream) -> TokenStream {
    let expansion = expand(input).unwrap_or_else(|why| format!("compile_error!({why:?})"));
    // Cannot fail: only literals are inserted into it, each escaped by `Debug`.
    expansion.parse().unwrap_or_default()
}

fn expand(input: TokenStream) -> Result<String, String> {
    let folder = literal(input).ok_or(r#"give the folder as one string, such as "migrations""#)?;
    let crate_directory = env::var("CARGO_MANIFEST_DIR")
        .map_err(|_| "CARGO_MANIFEST_DIR is not set: compile this crate with cargo")?;
    let Folder { sqlite, postgres } = Folder::read(Path::new(&crate_directory), &folder)?;
    Ok(format!(
        "QuintetMigrations::new({}, {})",
        list(&format!("{folder}/sqlite"), &sqlite),
        list(&format!("{folder}/postgres"), &postgres),
    ))
}

/// The expression for a `Vec` of the migrations in these files.
fn list(folder: &str, files: &[File]) -> String {
    let mut list = String::from("::std::vec![");
    for File { version, description, name } in files {
        let path = format!("/{folder}/{name}");
        // Writing to a string does not fail.
        let _ = write!(
            list,
            "QuintetMigration::new({version}, {description:?}, \
             ::core::include_str!(::core::concat!(::core::env!(\"CARGO_MANIFEST_DIR\"), {path:?}))),"
        );
    }
    list + "]"
}

/// The text of the string that is the whole input.
fn literal(input: TokenStream) -> Option<String> {
    let mut tokens = input.into_iter();
    let text = match (tokens.next()?, tokens.next()) {
        (TokenTree::Literal(literal), None) => literal.to_string(),
        // A declarative macro passes a literal on in an invisible group.
        (TokenTree::Group(group), None) => return literal(group.stream()),
        _ => return None,
    };
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains('\\')).then(|| text.to_owned())
}
