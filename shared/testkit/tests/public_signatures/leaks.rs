//! Finds types of client libraries in public signatures. It parses the sources and inspects each item, and resolves only the
//! imports of the item's own file.

use std::collections::HashSet;

use syn::{
    Attribute, Fields, File, ImplItem, Item, ItemImpl, ItemMacro, Signature, Type, UseTree,
    Visibility, parse_quote,
    visit::{self, Visit},
};

/// The client libraries. Their types must not appear in public signatures.
const CLIENTS: [&str; 6] =
    ["sqlx", "tokio_postgres", "tokio_postgres_rustls", "deadpool", "deadpool_postgres", "rdkafka"];

/// The parsed files of one crate, with their names.
pub type Sources = Vec<(String, File)>;

/// The public items of the crate that name a client library.
pub fn leaks(sources: &Sources) -> Vec<String> {
    let mut public = HashSet::new();
    for (_, file) in sources {
        public_types(&file.items, &mut public);
    }
    let mut found = Vec::new();
    for (name, file) in sources {
        let mut imported = HashSet::new();
        imports(&file.items, &mut imported);
        let mut inspection =
            Inspection { file: name, public: &public, imported: &imported, found: &mut found };
        file.items.iter().for_each(|item| inspection.item(item));
    }
    found
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.contains(&parse_quote!(#[cfg(test)]))
}

/// The names of the types that are public in their modules.
fn public_types(items: &[Item], names: &mut HashSet<String>) {
    for item in items {
        let (visibility, name) = match item {
            Item::Struct(item) => (&item.vis, &item.ident),
            Item::Enum(item) => (&item.vis, &item.ident),
            Item::Mod(item) => {
                let inner = item.content.as_ref().map(|(_, items)| items.as_slice());
                public_types(inner.unwrap_or_default(), names);
                continue;
            }
            _ => continue,
        };
        if is_public(visibility) {
            names.insert(name.to_string());
        }
    }
}

/// The names under which a file imports items of a client library.
fn imports(items: &[Item], names: &mut HashSet<String>) {
    for item in items {
        match item {
            Item::Use(item) => {
                client_names(&item.tree, false, names);
            }
            Item::Mod(item) => {
                let inner = item.content.as_ref().map(|(_, items)| items.as_slice());
                imports(inner.unwrap_or_default(), names);
            }
            _ => {}
        }
    }
}

/// Adds the names that a `use` imports from a client library.
fn client_names(tree: &UseTree, of_client: bool, names: &mut HashSet<String>) {
    let is_client = |ident: &syn::Ident| of_client || CLIENTS.iter().any(|name| ident == name);
    match tree {
        UseTree::Path(path) => client_names(&path.tree, is_client(&path.ident), names),
        UseTree::Name(name) if is_client(&name.ident) => {
            names.insert(name.ident.to_string());
        }
        UseTree::Rename(name) if is_client(&name.ident) => {
            names.insert(name.rename.to_string());
        }
        UseTree::Group(group) => {
            group.items.iter().for_each(|tree| client_names(tree, of_client, names));
        }
        UseTree::Glob(_) if of_client => {
            names.insert("*".to_owned());
        }
        _ => {}
    }
}

/// The inspection of one file.
struct Inspection<'a> {
    file: &'a str,
    /// The names of the crate's public types.
    public: &'a HashSet<String>,
    /// The names that the file imports from client libraries.
    imported: &'a HashSet<String>,
    found: &'a mut Vec<String>,
}

impl Inspection<'_> {
    fn item(&mut self, item: &Item) {
        match item {
            Item::Use(item) if is_public(&item.vis) => {
                let mut names = HashSet::new();
                client_names(&item.tree, false, &mut names);
                for name in names {
                    self.found(&format!("pub use of {name}"));
                }
            }
            Item::Fn(item) if is_public(&item.vis) => self.signature(&item.sig),
            Item::Struct(item) if is_public(&item.vis) => {
                self.derives(&item.attrs, &item.ident);
                self.node(&item.ident, |names| names.visit_generics(&item.generics));
                self.fields(&item.fields, &item.ident, false);
            }
            Item::Enum(item) if is_public(&item.vis) => {
                self.derives(&item.attrs, &item.ident);
                for variant in &item.variants {
                    self.fields(&variant.fields, &variant.ident, true);
                }
            }
            Item::Trait(item) if is_public(&item.vis) => {
                // This also inspects the bodies of default methods, which need not be free of clients, but are.
                self.node(&item.ident, |names| names.visit_item_trait(item));
            }
            Item::Type(item) if is_public(&item.vis) => {
                self.node(&item.ident, |names| names.visit_type(&item.ty));
            }
            Item::Const(item) if is_public(&item.vis) => {
                self.node(&item.ident, |names| names.visit_type(&item.ty));
            }
            Item::Static(item) if is_public(&item.vis) => {
                self.node(&item.ident, |names| names.visit_type(&item.ty));
            }
            Item::Impl(item) => self.implementation(item),
            Item::Macro(item) => self.exported_macro(item),
            Item::Mod(item) if !is_test(&item.attrs) => {
                let inner = item.content.as_ref().map(|(_, items)| items.as_slice());
                inner.unwrap_or_default().iter().for_each(|item| self.item(item));
            }
            _ => {}
        }
    }

    fn exported_macro(&mut self, item: &ItemMacro) {
        let exported: Attribute = parse_quote!(#[macro_export]);
        let body = item.mac.tokens.to_string();
        if item.attrs.contains(&exported)
            && CLIENTS.iter().any(|client| body.contains(&format!("{client} ::")))
        {
            self.found("an exported macro");
        }
    }

    /// Inspects public methods, and the traits that a public type implements.
    fn implementation(&mut self, item: &ItemImpl) {
        let Type::Path(self_type) = &*item.self_ty else { return };
        let Some(last) = self_type.path.segments.last() else { return };
        if let Some((path, _)) = &item.trait_ {
            if self.public.contains(&last.ident.to_string()) {
                self.node(&last.ident, |names| {
                    names.visit_path(path);
                    for item in &item.items {
                        if let ImplItem::Type(item) = item {
                            names.visit_type(&item.ty);
                        }
                    }
                });
            }
            return;
        }
        for item in &item.items {
            match item {
                ImplItem::Fn(item) if is_public(&item.vis) => self.signature(&item.sig),
                ImplItem::Const(item) if is_public(&item.vis) => {
                    self.node(&item.ident, |names| names.visit_type(&item.ty));
                }
                _ => {}
            }
        }
    }

    fn signature(&mut self, signature: &Signature) {
        self.node(&signature.ident, |names| names.visit_signature(signature));
    }

    fn fields(&mut self, fields: &Fields, of: &syn::Ident, all: bool) {
        for field in fields.iter().filter(|field| all || is_public(&field.vis)) {
            self.node(of, |names| names.visit_type(&field.ty));
        }
    }

    fn derives(&mut self, attributes: &[Attribute], of: &syn::Ident) {
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
            let derived = attribute.parse_nested_meta(|meta| {
                self.node(of, |names| names.visit_path(&meta.path));
                Ok(())
            });
            derived.unwrap();
        }
    }

    /// Notes the item if the part of it that `visit` inspects names a client library.
    fn node(&mut self, item: &syn::Ident, visit: impl FnOnce(&mut Names<'_>)) {
        let mut names = Names { imported: self.imported, found: false };
        visit(&mut names);
        if names.found {
            self.found(&item.to_string());
        }
    }

    fn found(&mut self, what: &str) {
        self.found.push(format!("{}: {what}", self.file));
    }
}

/// Finds paths that begin with a client library, or with a name that is imported from one.
struct Names<'a> {
    imported: &'a HashSet<String>,
    found: bool,
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first() {
            let first = first.ident.to_string();
            self.found |= CLIENTS.contains(&first.as_str()) || self.imported.contains(&first);
        }
        visit::visit_path(self, path);
    }
}
