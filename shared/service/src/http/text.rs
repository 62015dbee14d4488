//! Which texts are taken: what a reader sees is what is stored.

use utoipa::openapi::{ObjectBuilder, Type};

/// Characters that no text may hold, as the members of a regular expression's class: control
/// characters (PostgreSQL stores no NUL), line separators, and those that reorder what follows
/// them (U+202E turns `gpj.exe` into `exe.jpg`).
const REFUSED: &str = r"\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069";
/// Characters that show nothing, besides white space: Unicode's `Default_Ignorable_Code_Point` and
/// the blanks of Braille and Hangul. They may stand in a text, but are none by themselves.
const UNSEEN: &str = "\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}-\u{180f}\
    \u{200b}-\u{200f}\u{2060}-\u{206f}\u{2800}\u{3164}\u{fe00}-\u{fe0f}\u{feff}\u{ffa0}\
    \u{fff0}-\u{fff8}\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}";

/// Whether a text may hold this character.
pub(crate) fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_seen(c: char) -> bool {
    let unseen = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    !c.is_whitespace() && !unseen
}

/// What is wrong with a text that should have 1 to `longest` characters, if anything is.
pub(crate) fn fault(text: &str, longest: usize) -> Option<String> {
    let length = text.chars().count();
    if length > longest {
        return Some(format!("has {length} characters and must have {longest} at most"));
    }
    if let Some(refused) = text.chars().find(|c| !is_plain(*c)) {
        let code = u32::from(refused);
        return Some(format!(
            "holds U+{code:04X}, and must hold no control character and none that reverses text"
        ));
    }
    let seen = text.chars().any(is_seen);
    (!seen).then(|| format!("must be a text of 1 to {longest} characters that can be seen"))
}

/// The description of a text of 1 to `longest` characters.
#[must_use]
pub fn text_schema(longest: usize) -> ObjectBuilder {
    let pattern = format!("^[^{REFUSED}]*[^\\s{UNSEEN}{REFUSED}][^{REFUSED}]*$");
    ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(longest))
        .pattern(Some(pattern))
        .description(Some(format!(
            "1 to {longest} characters, one of them visible; no control characters and none that \
             reverse text."
        )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_scripts_are_texts() {
        for text in
            ["Ada", "O'Neil", "Łukasz", "محمد", "\u{200f}דוד", "क्\u{200d}ष", "👩\u{200d}🚀", "東京"]
        {
            assert_eq!(fault(text, 200), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_seen_or_reverses_text_is_refused() {
        for text in [
            "",
            " ",
            "\u{200b}",
            "\u{200d}\u{feff}",
            "\u{3164}",
            "\u{2800}",
            "\u{e0041}",
            "a\u{0}b",
            "a\nb",
            "\u{202e}gpj.exe",
            "a\u{2066}b",
            "a\u{2028}b",
            "a\u{85}b",
        ] {
            assert!(fault(text, 200).is_some(), "{text:?}");
        }
        assert_eq!(fault("abc", 2).unwrap(), "has 3 characters and must have 2 at most");
        let reversed = fault("\u{202e}abc", 200).unwrap();
        assert!(reversed.starts_with("holds U+202E"), "{reversed}");
    }
}
