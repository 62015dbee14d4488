//! Which texts are accepted. The rules make sure that a stored text is what a reader sees.

use std::{fmt::Write, ops::RangeInclusive};

use utoipa::openapi::{ObjectBuilder, Type};

type Ranges = [RangeInclusive<char>];

/// Characters that no text may contain: control characters (PostgreSQL stores no NUL), line separators, characters that
/// reorder the text after them (U+202E shows `gpj.exe` as `exe.jpg`), deprecated format characters, annotations,
/// noncharacters, and tags, which spell invisible text. Variation selectors are allowed: names in Japanese contain some.
const REFUSED: &Ranges = &[
    '\u{0}'..='\u{1f}',
    '\u{7f}'..='\u{9f}',
    '\u{2028}'..='\u{202e}',
    '\u{2066}'..='\u{206f}',
    '\u{fdd0}'..='\u{fdef}',
    '\u{fff9}'..='\u{fffb}',
    '\u{fffe}'..='\u{ffff}',
    '\u{e0000}'..='\u{e00ff}',
    '\u{e01f0}'..='\u{e0fff}',
];
/// Characters without a glyph, besides white space: Unicode's `Default_Ignorable_Code_Point` and the blanks of Braille
/// and Hangul. A text may contain them, but must not consist of them.
const UNSEEN: &Ranges = &[
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{2060}'..='\u{206f}',
    '\u{2800}'..='\u{2800}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fff8}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
];
/// Accents: Unicode's blocks of combining marks. A text must not consist of them, as they need a letter.
const ACCENTS: &Ranges = &[
    '\u{300}'..='\u{36f}',
    '\u{1ab0}'..='\u{1aff}',
    '\u{1dc0}'..='\u{1dff}',
    '\u{20d0}'..='\u{20ff}',
    '\u{fe20}'..='\u{fe2f}',
];

fn is_in(ranges: &Ranges, c: char) -> bool {
    ranges.iter().any(|range| range.contains(&c))
}

/// The ranges as members of a character class of a regular expression.
fn class(ranges: &Ranges) -> String {
    let mut class = String::new();
    for range in ranges {
        for (before, c) in [("", *range.start()), ("-", *range.end())] {
            // Writing into a string does not fail. Validators of JSON Schema agree on this escape alone, which ends at
            // U+FFFF; other characters stand for themselves.
            let _ = match u32::from(c) {
                code @ ..=0xffff => write!(class, "{before}\\u{code:04x}"),
                _ => write!(class, "{before}{c}"),
            };
        }
    }
    class
}

/// Whether a text may contain this character.
pub(crate) fn is_plain(c: char) -> bool {
    (' '..='~').contains(&c) || !is_in(REFUSED, c)
}

/// Whether a mail address may contain this character. All characters of an address must be visible.
#[must_use]
pub fn is_visible(c: char) -> bool {
    c.is_ascii_graphic() || is_plain(c) && !c.is_whitespace() && !is_in(UNSEEN, c)
}

/// The characters that are not [visible](is_visible), as members of a character class of a regular expression.
#[must_use]
pub fn invisible_class() -> String {
    format!("\\s{}{}", class(REFUSED), class(UNSEEN))
}

/// Says what is wrong with a text that should have 1 to `longest` characters; `None` if it is right.
pub(crate) fn fault(text: &str, longest: usize) -> Option<String> {
    let length = text.chars().count();
    if length > longest {
        return Some(format!("has {length} characters and must have {longest} at most"));
    }
    if let Some(refused) = text.chars().find(|c| !is_plain(*c)) {
        let code = u32::from(refused);
        return Some(format!(
            "holds U+{code:04X}, and must hold no character that controls, reverses or tags text"
        ));
    }
    let seen = text.chars().any(|c| is_visible(c) && !is_in(ACCENTS, c));
    (!seen).then(|| format!("must be a text of 1 to {longest} characters that can be seen"))
}

/// The JSON Schema of a text of 1 to `longest` characters.
#[must_use]
pub fn text_schema(longest: usize) -> ObjectBuilder {
    let (refused, unseen) = (class(REFUSED), invisible_class() + &class(ACCENTS));
    let pattern = format!("^[^{refused}]*[^{unseen}][^{refused}]*$");
    ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(longest))
        .pattern(Some(pattern))
        .description(Some(format!(
            "1 to {longest} characters, one of them visible; none that controls, reverses or tags \
             text."
        )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_scripts_are_texts() {
        for text in [
            "Ada",
            "O'Neil",
            "Łukasz",
            "محمد",
            "\u{200f}דוד",
            "क्\u{200d}ष",
            "葛\u{e0100}",
            "e\u{301}",
            "👩\u{200d}🚀",
            "東京",
        ] {
            assert_eq!(fault(text, 200), None, "{text}");
        }
    }

    #[test]
    fn letters_are_visible_and_blanks_are_not() {
        for c in ['a', 'é', '\u{301}', '"', '東', '@'] {
            assert!(is_visible(c), "{c:?}");
        }
        for c in [' ', '\u{a0}', '\u{200b}', '\u{ad}', '\u{e0100}', '\u{feff}', '\u{0}', '\u{202e}']
        {
            assert!(!is_visible(c), "{c:?}");
        }
    }

    #[test]
    fn a_text_that_is_invisible_or_reversed_is_refused() {
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
            "x\u{e0041}",
            "x\u{206a}",
            "x\u{fff9}",
            "x\u{fffe}",
            "\u{301}",
            " \u{20dd}\u{200b}",
        ] {
            assert!(fault(text, 200).is_some(), "{text:?}");
        }
        assert_eq!(fault("abc", 2).unwrap(), "has 3 characters and must have 2 at most");
        let reversed = fault("\u{202e}abc", 200).unwrap();
        assert!(reversed.starts_with("holds U+202E"), "{reversed}");
    }
}
