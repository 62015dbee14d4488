//! What a message about settings does not repeat: it goes to terminals and logs.

use anyhow::anyhow;

/// Stands for what is hidden.
const HIDDEN: &str = "…";
/// What stands for a user where a message shows what an address looks like.
const EXAMPLE: &str = "USER";
/// The longest value that a message repeats, in characters.
const LONGEST: usize = 100;
/// The shortest value that is looked for in a message: a shorter one is part of too many words.
const SHORTEST: usize = 4;

/// Values that were read from files of their own, as secrets are.
#[derive(Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// No message repeats this value.
    pub(super) fn keep(&mut self, value: &str) {
        let value = value.trim().trim_end_matches('/');
        if value.len() >= SHORTEST {
            let escaped = format!("{value:?}");
            self.0.extend([value, escaped.trim_matches('"')].map(ToOwned::to_owned));
        }
    }

    /// The message without these values, without users and passwords of addresses, without what
    /// follows `password=`, and with the beginnings of long values only.
    pub(crate) fn hide(&self, message: &str) -> String {
        let known = |text: String, secret: &String| text.replace(secret.as_str(), HIDDEN);
        let message = self.0.iter().fold(message.to_owned(), known);
        let shown: Vec<String> = quoted_and_not(&message)
            .iter()
            .enumerate()
            // Every second one stood in quotes.
            .map(|(nth, part)| if nth % 2 == 1 { value(part) } else { words(part) })
            .collect();
        shown.join("\"")
    }
}

/// figment's errors, the first of them in one line.
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

/// What a parser says, without the lines that it shows of the file: these may hold secrets.
fn without_excerpt(said: &str) -> String {
    let is_excerpt = |line: &&str| {
        line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).starts_with('|')
    };
    said.lines().filter(|line| !is_excerpt(line)).collect::<Vec<_>>().join(": ")
}

/// Whether what stands under this key of the settings is never shown.
fn is_secret(key: &[String]) -> bool {
    let passed_on = key.first().is_some_and(|first| first == super::load::PASSED_ON);
    passed_on || key.last().is_some_and(|last| last.contains("password"))
}

/// What stands between quotes that no `\` escapes, with what stands around it.
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

/// Text in quotes is one value. A password may hold all that ends one elsewhere.
fn value(text: &str) -> String {
    let (scheme, rest) = text
        .split_once("://")
        .map_or(("", text), |(scheme, rest)| (&text[..scheme.len() + "://".len()], rest));
    let shown = match rest.rfind('@') {
        Some(at) if &rest[..at] != EXAMPLE => format!("{scheme}{HIDDEN}{}", &rest[at..]),
        _ => text.to_owned(),
    };
    cut(&without_passwords(&shown))
}

/// Text outside of quotes: an address begins with a scheme and ends with its word.
fn words(text: &str) -> String {
    let word = |word: &str| if word.contains("://") { value(word) } else { word.to_owned() };
    without_passwords(&text.split_inclusive(char::is_whitespace).map(word).collect::<String>())
}

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

/// What follows a value of a query or of PostgreSQL's `key=value` form.
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
    fn what_a_file_held_is_hidden_however_it_is_written() {
        let mut secrets = Secrets::default();
        secrets.keep("ro\"ot\nx/");
        secrets.keep("no");
        let told = format!("{:?} and ro\"ot\nx/ are no URL", "ro\"ot\nx/y");
        assert_eq!(secrets.hide(&told), "\"…/y\" and …/ are no URL");
    }
}
