//! What the user sees meanwhile: a spinner or bar on a terminal, plain lines when piped. All of it
//! goes to stderr; stdout holds results alone.

use crate::invocation;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What everybody's terminal has.
pub const COLUMNS: usize = 100;

/// The user's screen, shared by all that have something to say.
#[derive(Clone, Debug, Default)]
pub struct Ui {
    bar: Arc<Mutex<Option<ProgressBar>>>,
    telling: Arc<AtomicBool>,
}

/// Work that takes a while; what is drawn vanishes with it.
#[derive(Debug)]
pub struct Progress {
    ui: Ui,
    bar: ProgressBar,
}

impl Ui {
    /// Says something that stays, without tearing what is drawn.
    pub fn line(&self, text: &str) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match bar {
            Some(bar) => bar.suspend(|| stderr_line(text)),
            None => stderr_line(text),
        }
    }

    /// From now on [`Self::tell`] prints, or no longer.
    pub fn set_telling(&self, telling: bool) {
        self.telling.store(telling, Ordering::Relaxed);
    }

    /// Says what happens, where the user wants to be told.
    pub fn tell(&self, text: &str) {
        if self.telling.load(Ordering::Relaxed) {
            self.line(text);
        }
    }

    /// A warning of the supervisor's.
    pub fn warn(&self, text: &str) {
        self.line(&format!("{}: {text}", invocation::name()));
    }

    /// Something of unknown length begins.
    pub fn spinner(&self, what: &str) -> Progress {
        if !std::io::stderr().is_terminal() {
            self.line(&format!("{what}…"));
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
            .with_style(style("{spinner} {wide_msg}", ProgressStyle::default_spinner))
            .with_message(format!("{what}…"));
        bar.enable_steady_tick(Duration::from_millis(100));
        self.show(bar)
    }

    /// Something of `total` steps begins.
    pub fn bar(&self, what: &str, total: u64) -> Progress {
        let template = "{msg} {wide_bar} {pos}/{len} {per_sec} {eta}";
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
            .with_style(style(template, ProgressStyle::default_bar))
            .with_message(what.to_owned());
        self.show(bar)
    }

    fn show(&self, bar: ProgressBar) -> Progress {
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Progress { ui: self.clone(), bar }
    }
}

impl Progress {
    /// What is being done just now; seen on a terminal only.
    pub fn now(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// How many steps are done.
    pub fn at(&self, done: u64) {
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        *self.ui.bar.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Prints a result. Nobody listening is no reason to fail.
pub fn result(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// The text in lines of at most [`COLUMNS`], each behind so many spaces; none for an empty text.
#[must_use]
pub fn wrapped(text: &str, indent: usize) -> Vec<String> {
    let room = COLUMNS - indent;
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for letter in word.chars() {
            if line.chars().count() == room {
                lines.push(std::mem::take(&mut line));
            }
            line.push(letter);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines.into_iter().map(|line| format!("{:indent$}{line}", "")).collect()
}

fn stderr_line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn style(template: &str, otherwise: fn() -> ProgressStyle) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| otherwise())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_words_and_what_has_none_is_cut() {
        assert_eq!(wrapped("one two", 2), ["  one two"]);
        assert!(wrapped("", 2).is_empty());
        let (long, word) = ("word ".repeat(30), "x".repeat(150));
        for text in [&long, &word] {
            let lines = wrapped(text, 4);
            assert!(lines.iter().all(|line| line.len() <= COLUMNS && line.starts_with("    ")));
            let letters = |text: &str| text.chars().filter(|it| *it != ' ').collect::<String>();
            assert_eq!(letters(&lines.concat()), letters(text));
        }
        assert_eq!(wrapped(&word, 4)[0].len(), COLUMNS);
    }
}
