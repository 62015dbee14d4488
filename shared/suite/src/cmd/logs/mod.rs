//! `logs`: prints the log files of a suite's processes, in the order of their times.

mod about;
mod file;
mod merge;

use super::id::Id;
use crate::component::{Component, Member, parse};
use crate::datadir::DataDir;
use crate::invocation;
use crate::palette::{Palette, printable};
use crate::session::Session;
use crate::suite::{Suite, Unknown};
use crate::ui::Ui;
use about::About;
use anyhow::{Result, bail};
use clap::Args;
use file::{Line, LogFile};
use merge::merged;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::sleep;

/// The pause before the files are read again.
const POLL: Duration = Duration::from_millis(200);

/// The arguments of `logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// Only the logs of these services and providers
    #[arg(value_name = "SERVICE", value_parser = parse)]
    services: Vec<Component>,
    /// Go on with the lines that come, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Only lines with the id of this aggregate or its trace id; the end of its id is enough, as `up` shows it
    #[arg(long, value_name = "ID")]
    aggregate: Option<String>,
    /// How many lines of each process, the newest; 0 for all
    #[arg(long, value_name = "N", default_value_t = 100)]
    tail: usize,
}

/// Writes lines to stdout.
struct Printer {
    palette: Palette,
    as_json: bool,
}

impl Logs {
    pub(crate) async fn run(self, session: &Session) -> Result<ExitCode> {
        let dir = session.dir()?;
        let about = self.aggregate.as_deref().map(Id::parse).transpose()?.map(About::new);
        let known = processes(session, &dir)?;
        let wanted = self.wanted(&known)?;
        let mut files: Vec<LogFile> = wanted.iter().map(|it| LogFile::of(*it, &dir)).collect();
        if !self.follow && !files.iter().any(LogFile::exists) {
            let (shown, start) = (dir.shown().display(), invocation::start(&dir.argument()));
            bail!("there are no logs in {shown}/logs: start a suite with `{start}`");
        }
        let width = wanted.iter().map(|process| process.to_string().len()).max();
        let components = session.manifest.components();
        let palette = Palette::of(components).widened(width.unwrap_or_default());
        let printer = Printer { palette, as_json: session.json };
        let mut about = match about {
            Some(mut about) => {
                about.learn_from(known.iter().map(|process| LogFile::of(*process, &dir)))?;
                Some(about)
            }
            None => None,
        };
        let mut shown = printer.print(merged(self.newest(&mut files, about.as_ref())?));
        if let (Ok(0), Some(about)) = (&shown, &self.aggregate) {
            Ui::default().warn(&format!("no line is about {about}: services log what is unusual"));
        }
        while self.follow && shown.is_ok() {
            sleep(POLL).await;
            let mut lines = Vec::new();
            for file in &mut files {
                lines.extend(file.read()?);
            }
            lines.sort_by_key(|line| line.at);
            if let Some(about) = &mut about {
                lines.retain(|line| about.learn(&line.text) || about.is_in(&line.text));
            }
            shown = printer.print(lines.into_iter().map(Ok));
        }
        match shown {
            // The reader of a pipe has gone, as with `logs | head`. That is no failure.
            Err(error) if !is_broken_pipe(&error) => Err(error),
            _ => Ok(ExitCode::SUCCESS),
        }
    }

    /// The processes whose logs the user wants to see.
    fn wanted(&self, known: &[Member]) -> Result<Vec<Member>> {
        for name in &self.services {
            let is_of = |process: &&Member| is_called(**process, *name);
            if !known.iter().any(|process| is_of(&process)) {
                let mut names: Vec<String> =
                    known.iter().map(|process| process.component.to_string()).collect();
                names.dedup();
                bail!("{}", Unknown::of(*name, names));
            }
        }
        let is_wanted = |process: &Member| {
            self.services.is_empty() || self.services.iter().any(|name| is_called(*process, *name))
        };
        Ok(known.iter().copied().filter(is_wanted).collect())
    }

    /// The newest lines of each file, as many as the user wants.
    fn newest<'f>(
        &self,
        files: &'f mut [LogFile],
        about: Option<&'f About>,
    ) -> Result<Vec<Box<dyn Iterator<Item = Result<Line>> + 'f>>> {
        let mut all: Vec<Box<dyn Iterator<Item = Result<Line>> + 'f>> = Vec::new();
        for file in files {
            let is_wanted = move |line: &Result<Line>| match (line, about) {
                (Ok(line), Some(about)) => about.is_in(&line.text),
                _ => true,
            };
            if self.tail > 0 && about.is_none() {
                file.skip_to_last(self.tail)?;
            }
            let follows = self.follow;
            let lines = file.lines(follows).filter(is_wanted);
            all.push(match (self.tail, about) {
                (0, _) | (_, None) => Box::new(lines),
                (most, Some(_)) => Box::new(merge::last(lines, most)?.into_iter().map(Ok)),
            });
        }
        Ok(all)
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Whether the name is that of the process or of its component.
fn is_called(process: Member, name: Component) -> bool {
    process.component == name || name == process.to_string().as_str()
}

/// All processes that can have a log: those of the suite on the directory, else those of the manifest, and those of
/// services that another manifest had, whose logs are still there.
fn processes(session: &Session, dir: &DataDir) -> Result<Vec<Member>> {
    let mut components: Vec<Component> = match Suite::read(dir)? {
        Some(suite) => suite.components().collect(),
        None => session.manifest.components().collect(),
    };
    let replicas = |components: &[Component]| {
        let all = components.iter().flat_map(|component| component.members(Member::MOST));
        let is_there = |process: &Member| process.nth == 0 || dir.log(*process).is_file();
        all.filter(is_there).collect::<Vec<_>>()
    };
    let names = replicas(&components).iter().map(ToString::to_string).collect::<Vec<_>>();
    let others = dir.logs()?.into_iter().filter(|name| !names.contains(name));
    components.extend(others.map(|name| Component::named(&name)));
    Ok(replicas(&components))
}

impl Printer {
    /// Prints the lines, and returns how many there were.
    fn print(&self, lines: impl Iterator<Item = Result<Line>>) -> Result<usize> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut count = 0;
        for line in lines {
            let line = line?;
            count += 1;
            if self.as_json {
                writeln!(out, "{}", json(&line))?;
            } else {
                let name = self.palette.name(line.process, console::colors_enabled());
                writeln!(out, "{name} | {}", printable(&line.text))?;
            }
        }
        out.flush()?;
        Ok(count)
    }
}

/// The line with its process; a line in JSON as the object that it is.
fn json(line: &Line) -> Value {
    let process = line.process.to_string();
    match serde_json::from_str::<Value>(&line.text) {
        Ok(record) if record.is_object() => json!({ "process": process, "record": record }),
        _ => json!({ "process": process, "line": line.text }),
    }
}

#[cfg(test)]
mod tests;
