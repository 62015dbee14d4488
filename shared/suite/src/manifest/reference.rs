//! References such as `{NAME.url}` in the value of a setting. Each stands for the address of a component.

use crate::component::Component;

/// A reference to a listener of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The component.
    pub component: Component,
    /// `url` for its HTTP listener, or the protocol of another listener of a provider.
    pub listener: String,
}

/// One piece of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Reference(Reference),
}

/// Splits a value into texts and references.
///
/// # Errors
/// What is wrong with a reference, and how to write it.
pub(crate) fn pieces(value: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut rest) = (Vec::new(), value);
    while let Some((before, after)) = rest.split_once('{') {
        let (reference, after) = after
            .split_once('}')
            .ok_or_else(|| format!("{value:?} has a `{{` without `}}`: write {{NAME.url}}"))?;
        let (name, listener) = reference.split_once('.').ok_or_else(|| {
            format!("{{{reference}}} names no listener: write {{{reference}.url}}")
        })?;
        pieces.push(Piece::Text(before.to_owned()));
        let component = Component::named(name);
        pieces.push(Piece::Reference(Reference { component, listener: listener.to_owned() }));
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

/// Replaces each reference in the value by its address. A reference without an address stays as it is; the check of the
/// manifest has refused those.
pub(crate) fn filled(value: &str, address: impl Fn(&Reference) -> Option<String>) -> String {
    let Ok(pieces) = pieces(value) else { return value.to_owned() };
    let text = |piece: Piece| match piece {
        Piece::Text(text) => text,
        Piece::Reference(reference) => address(&reference)
            .unwrap_or_else(|| format!("{{{}.{}}}", reference.component, reference.listener)),
    };
    pieces.into_iter().map(text).collect()
}
