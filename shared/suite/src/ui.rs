//! Progress and messages for the user: a spinner or a bar on a terminal, plain lines otherwise. They go to stderr; only
//! results go to stdout.

mod printer;

use crate::component::Member;
use crate::invocation;
use crate::manifest::Manifest;
use crate::palette::Palette;
use clock::{Clock as _, SystemClock};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use printer::Printer;
pub(crate) use printer::Printing;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The width of all output: any terminal has so many columns.
pub const COLUMNS: usize = 100;

/// The user's terminal. Clones share its state.
#[derive(Clone, Debug, Default)]
pub struct Ui {
    /// The bar that is drawn now.
    bar: Arc<Mutex<Option<ProgressBar>>>,
    /// Whether [`Self::tell`] prints.
    telling: Arc<AtomicBool>,
    /// Prints the lines while a suite runs.
    printer: Printer,
    palette: Arc<Palette>,
}

/// A spinner or bar. Dropping it removes it from the terminal.
#[derive(Debug)]
pub struct Progress {
    ui: Ui,
    bar: ProgressBar,
}

impl Ui {
    /// The terminal of a suite whose services have so many processes.
    pub(crate) fn of(manifest: &Manifest, replicas: usize) -> Self {
        let longest = manifest.members(replicas).map(|process| process.to_string().len()).max();
        let palette = Palette::of(manifest.components()).widened(longest.unwrap_or_default());
        Self { palette: Arc::new(palette), ..Self::default() }
    }

    /// Prints lines on a thread of its own until the returned value is dropped, so that a terminal that takes nothing holds
    /// up no task of the launcher.
    pub(crate) fn print_on_a_thread(&self) -> Printing {
        let ui = self.clone();
        self.printer.start(move |line| ui.print(line))
    }

    /// Prints a line above the spinner or bar.
    pub fn line(&self, text: &str) {
        if !self.printer.takes(text) {
            self.print(text);
        }
    }

    fn print(&self, text: &str) {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match bar {
            Some(bar) => bar.suspend(|| stderr_line(text)),
            None => stderr_line(text),
        }
    }

    /// Sets whether the lines about what happens are printed.
    pub fn set_telling(&self, telling: bool) {
        self.telling.store(telling, Ordering::Relaxed);
    }

    /// Prints a line about the suite, unless the user has asked for silence.
    pub(crate) fn tell(&self, text: &str) {
        if self.telling.load(Ordering::Relaxed) {
            self.line(text);
        }
    }

    /// As [`Self::tell`], for a row about what a process did at this time.
    pub(crate) fn tell_of(&self, process: Member, at: Timestamp, text: &str) {
        let coloured = console::colors_enabled_stderr();
        self.tell(&self.palette.row(at, process, text, coloured));
    }

    /// As [`Self::tell_of`], for what happens now.
    pub(crate) fn tell_now(&self, process: Member, text: &str) {
        self.tell_of(process, SystemClock.now(), text);
    }

    /// Prints a warning.
    pub fn warn(&self, text: &str) {
        self.line(&format!("{}: {text}", invocation::name()));
    }

    /// Shows a spinner for work of unknown length.
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

    /// Shows a bar for work of `total` steps.
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
    /// Changes the message of the spinner or bar. It is seen on a terminal only.
    pub fn now(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// Sets how many steps are done.
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

/// Prints a result to stdout. It is no error if the reader of a pipe has gone.
pub fn result(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// Wraps the text into lines of at most [`COLUMNS`] columns, each indented by so many spaces. An empty text has no lines.
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
        for c in word.chars() {
            if line.chars().count() == room {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
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
    fn text_is_wrapped_at_words_and_a_long_word_is_cut() {
        assert_eq!(wrapped("one two", 2), ["  one two"]);
        assert!(wrapped("", 2).is_empty());
        let (long, word) = ("word ".repeat(30), "x".repeat(150));
        for text in [&long, &word] {
            let lines = wrapped(text, 4);
            assert!(lines.iter().all(|line| line.len() <= COLUMNS && line.starts_with("    ")));
            let letters =
                |text: &str| text.chars().filter(|character| *character != ' ').collect::<String>();
            assert_eq!(letters(&lines.concat()), letters(text));
        }
        assert_eq!(wrapped(&word, 4)[0].len(), COLUMNS);
    }
}
