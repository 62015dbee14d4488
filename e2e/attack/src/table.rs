use std::{fmt, time::Duration};

use crate::{Measured, process::Process};

/// What a well-behaved client measured during each attack.
#[derive(Debug, Clone, Default)]
pub struct Table(Vec<Line>);

/// A line of the table.
#[derive(Debug, Clone)]
pub enum Line {
    /// A measurement during an attack, or without one.
    Measured {
        /// Its name.
        name: &'static str,
        /// Hostile connections that were opened.
        opened: usize,
        /// Those of them that the service had not closed at the end.
        left: usize,
        /// What the well-behaved client measured.
        measured: Measured,
        /// The service's memory in mebibytes, if it is known.
        resident_mib: Option<u64>,
    },
    /// An attack that could not be carried out.
    Skipped {
        /// Its name.
        name: &'static str,
        /// Why.
        why: &'static str,
    },
}

impl Table {
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        opened: usize,
        left: usize,
        measured: Measured,
        process: Option<&Process>,
    ) {
        let resident_mib = process.and_then(Process::resident_mib);
        self.0.push(Line::Measured { name, opened, left, measured, resident_mib });
    }

    pub(crate) fn skip(&mut self, name: &'static str, why: &'static str) {
        self.0.push(Line::Skipped { name, why });
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.0
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16}{:>8}{:>8}{:>10}{:>10}{:>10}{:>8}{:>10}",
            "attack", "opened", "left", "requests", "p50", "p99", "failed", "RSS"
        )?;
        for line in &self.0 {
            match line {
                Line::Skipped { name, why } => writeln!(f, "{name:<16}left out: {why}")?,
                Line::Measured { name, opened, left, measured, resident_mib } => writeln!(
                    f,
                    "{name:<16}{opened:>8}{left:>8}{:>10}{:>10}{:>10}{:>8}{:>10}",
                    measured.took.len(),
                    shown(measured.percentile(50)),
                    shown(measured.percentile(99)),
                    measured.failed,
                    resident_mib.map_or_else(|| "?".to_owned(), |mib| format!("{mib} MiB")),
                )?,
            }
        }
        Ok(())
    }
}

fn shown(took: Option<Duration>) -> String {
    took.map_or_else(|| "?".to_owned(), |took| format!("{:.1} ms", took.as_secs_f64() * 1_000.0))
}
