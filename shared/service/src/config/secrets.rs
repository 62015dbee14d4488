//! Hides secrets in messages about settings, because these messages go to terminals and logs.

use anyhow::anyhow;

/// The text in place of a secret.
const HIDDEN: &str = "…";
/// The placeholder for a user in messages that show the form of an address. It is no secret.
const EXAMPLE: &str = "USER";
/// The longest value that a message repeats, in characters.
const LONGEST: usize = 100;
/// The shortest value that is replaced wherever it occurs: a shorter one is part of too many ordinary words.
const SHORTEST: usize = 4;

/// The values that were read from files of their own, as secrets are.
#[derive(Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Adds a value that no message may repeat.
    pub(super) fn keep(&mut self, value: &str) {
        let value = value.trim().trim_end_matches('/');
        if value.len() >= SHORTEST {
            let escaped = format!("{value:?}");
            self.0.extend([value, escaped.trim_matches('"')].map(ToOwned::to_owned));
        }
    }

    /// The message with [`HIDDEN`] in place of these values, of users and passwords in addresses, and of values after
    /// `password=`. Of a long value in quotes only the beginning is left.
    pub(crate) fn hide(&self, message: &str) -> String {
        let known = |text: String, secret: &String| text.replace(secret.as_str(), HIDDEN);
        let message = self.0.iter().fold(message.to_owned(), known);
        let shown: Vec<String> = quoted_and_not(&message)
            .iter()
            .enumerate()
            // Every second part was in quotes.
            .map(
                |(nth, part)| {
                    if nth % 2 == 1 { without_secrets(part) } else { words_without_secrets(part) }
                },
            )
            .collect();
        shown.join("\"")
    }
}

/// The first of figment's errors as one line: the key, what is wrong, and the source.
pub(super) fn readable(error: figment::Error) -> anyhow::Error {
    let first = error.into_iter().next();
    let text = first.map_or_else(String::new, |error| {
        let key = error.path.join(".");
        let source = error.metadata.as_ref().map_or_else(String::new, |metadata| {
            let place = metadata.source.as_ref().map(|source| format!(" {source}"));
            format!(" in {}{}", metadata.name, place.unwrap_or_default())
        });
        let what = if is_secret(&error.path) {
            "must be a text in quotes".to_owned()
        } else {
            without_excerpt(&error.kind.to_string())
        };
        if key.is_empty() { format!("{what}{source}") } else { format!("{key}: {what}{source}") }
    });
    anyhow!(text)
}

/// The message of a TOML parser without the lines that it quotes from the file: these may hold secrets.
fn without_excerpt(message: &str) -> String {
    let is_excerpt = |line: &&str| {
        line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).starts_with('|')
    };
    message.lines().filter(|line| !is_excerpt(line)).collect::<Vec<_>>().join(": ")
}

/// Whether the value of this key is never shown.
fn is_secret(key: &[String]) -> bool {
    let passed_on = key.first().is_some_and(|first| first == super::load::PASSED_ON);
    passed_on || key.last().is_some_and(|last| last.contains("password"))
}

/// Splits a text at quotes that no `\` escapes: parts at odd places were in quotes.
fn quoted_and_not(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if c == '"' && !escaped {
            parts.push(&text[start..at]);
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts
}

/// A value from quotes without its secrets. All of it up to the last `@` counts as user and password, as a password may
/// contain spaces and slashes.
fn without_secrets(text: &str) -> String {
    let (scheme, rest) = text
        .split_once("://")
        .map_or(("", text), |(scheme, rest)| (&text[..scheme.len() + "://".len()], rest));
    let shown = match rest.rfind('@') {
        Some(at) if &rest[..at] != EXAMPLE => format!("{scheme}{HIDDEN}{}", &rest[at..]),
        _ => text.to_owned(),
    };
    cut(&without_passwords(&shown))
}

/// A text from outside of quotes without its secrets. There an address is a word with a scheme.
fn words_without_secrets(text: &str) -> String {
    let word =
        |word: &str| if word.contains("://") { without_secrets(word) } else { word.to_owned() };
    without_passwords(&text.split_inclusive(char::is_whitespace).map(word).collect::<String>())
}

/// The text with [`HIDDEN`] in place of each value after `password=`.
fn without_passwords(text: &str) -> String {
    const NAME: &str = "password";
    let lower = text.to_ascii_lowercase();
    let (mut shown, mut from) = (String::new(), 0);
    while let Some(at) = lower[from..].find(NAME) {
        let end = from + at + NAME.len();
        shown.push_str(&text[from..end]);
        from = end;
        if let Some(value) = text[end..].trim_start().strip_prefix('=').map(str::trim_start) {
            shown.push('=');
            shown.push_str(HIDDEN);
            from = text.len() - after_value(value).len();
        }
    }
    shown + &text[from..]
}

/// The rest of the text after its leading value, which is one of a query or of PostgreSQL's `key=value` form.
fn after_value(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(quoted) => quoted.find('\'').map_or("", |end| &quoted[end + 1..]),
        None => text.find(|c: char| c == '&' || c.is_whitespace()).map_or("", |end| &text[end..]),
    }
}

fn cut(value: &str) -> String {
    let end = value.char_indices().nth(LONGEST).map(|(end, _)| end);
    end.map_or_else(|| value.to_owned(), |end| format!("{}{HIDDEN}", &value[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_passwords_are_hidden_and_the_rest_stays() {
        for (message, shown) in [
            ("gateway.url: \"http://u:p@x\" no", "gateway.url: \"http://…@x\" no"),
            (r#"url "pg://u:a b/"#, r#"url "pg://u:a b/"#),
            (r#"url "pg://u:a b/\"@c@h/d": no"#, r#"url "pg://…@h/d": no"#),
            ("use postgres://USER@HOST/DB", "use postgres://USER@HOST/DB"),
            ("\"kafka:u:p@x:1\" no", "\"…@x:1\" no"),
            ("X=https://u:p@x is; see http://y", "X=https://…@x is; see http://y"),
            ("\"pg://h/d?password=hunter2&x=y\"", "\"pg://h/d?password=…&x=y\""),
            ("\"host=h PassWord = 'a b' user=u\"", "\"host=h PassWord=… user=u\""),
            ("\"host=h password=hunter2\": no", "\"host=h password=…\": no"),
            ("smtp.password is set, but not smtp.user", "smtp.password is set, but not smtp.user"),
        ] {
            assert_eq!(Secrets::default().hide(message), shown);
        }
    }

    #[test]
    fn a_long_value_is_cut_and_a_long_message_is_not() {
        let message = format!("{} \"{}\"", "a ".repeat(200), "ü".repeat(101));
        let shown = format!("{} \"{}…\"", "a ".repeat(200), "ü".repeat(100));
        assert_eq!(Secrets::default().hide(&message), shown);
    }

    #[test]
    fn a_secret_from_a_file_is_hidden_plain_and_escaped() {
        let mut secrets = Secrets::default();
        secrets.keep("ro\"ot\nx/");
        secrets.keep("no");
        let message = format!("{:?} and ro\"ot\nx/ are no URL", "ro\"ot\nx/y");
        assert_eq!(secrets.hide(&message), "\"…/y\" and …/ are no URL");
    }
}
