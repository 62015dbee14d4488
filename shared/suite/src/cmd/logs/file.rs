//! Reads a log file from where it was read last, also after another file has replaced it.

use crate::component::Member;
use crate::datadir::DataDir;
use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// How many bytes are read at once.
const CHUNK: usize = 256 << 10;
/// A line without an end is cut after so many bytes.
const LONGEST: usize = 1 << 20;

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) process: Member,
    /// When it was logged. A line that does not say so, such as of a panic, has the time of the one before.
    pub(super) at: Timestamp,
    pub(super) text: String,
}

/// The log file of a process. It need not exist yet.
#[derive(Debug)]
pub(super) struct LogFile {
    process: Member,
    path: PathBuf,
    /// The path as the user would write it.
    shown: PathBuf,
    open: Option<Open>,
    /// The time of the last line.
    at: Timestamp,
}

#[derive(Debug)]
struct Open {
    file: File,
    offset: u64,
    /// The begin of a line whose end has not been read yet.
    rest: Vec<u8>,
}

impl LogFile {
    pub(super) fn of(process: Member, dir: &DataDir) -> Self {
        let (path, shown) = (dir.log(process), dir.shown_log(process));
        Self { process, path, shown, open: None, at: Timestamp::UNIX_EPOCH }
    }

    pub(super) fn exists(&self) -> bool {
        self.path.is_file()
    }

    /// Leaves out all but the last lines.
    pub(super) fn skip_to_last(&mut self, lines: usize) -> Result<()> {
        if let Some(mut open) = self.opened()? {
            let offset = begin_of_last(&mut open.file, lines).with_context(|| self.cannot())?;
            open.file.seek(SeekFrom::Start(offset)).with_context(|| self.cannot())?;
            open.offset = offset;
            self.open = Some(open);
        }
        Ok(())
    }

    /// The lines from here to the end of the file, in chunks that fit memory. The last line may have no end yet; it is
    /// left for a later read if `follows` is true.
    pub(super) fn lines(&mut self, follows: bool) -> Lines<'_> {
        Lines { file: self, read: VecDeque::new(), follows }
    }

    /// The next complete lines; none at the end of the file.
    ///
    /// # Errors
    /// If the file cannot be read. It is no error if there is none.
    pub(super) fn read(&mut self) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        if self.open.is_none() {
            self.open = self.opened()?;
        }
        while let Some(open) = &mut self.open {
            let read =
                open.read().with_context(|| format!("cannot read {}", self.shown.display()))?;
            let complete = open.complete();
            let is_replaced = read == 0 && self.is_replaced();
            self.push(&complete, &mut lines);
            if is_replaced {
                // What was not ended there will not be.
                lines.extend(self.finish());
                self.open = self.opened()?;
            } else if read == 0 || !lines.is_empty() {
                break;
            }
        }
        Ok(lines)
    }

    /// The line at the end of the file that has no end yet.
    fn finish(&mut self) -> Option<Line> {
        let rest = std::mem::take(&mut self.open.as_mut()?.rest);
        let mut lines = Vec::new();
        self.push(&rest, &mut lines);
        lines.pop()
    }

    fn push(&mut self, bytes: &[u8], lines: &mut Vec<Line>) {
        for text in String::from_utf8_lossy(bytes).lines() {
            self.at = time(text).unwrap_or(self.at);
            lines.push(Line { process: self.process, at: self.at, text: text.to_owned() });
        }
    }

    fn opened(&self) -> Result<Option<Open>> {
        match File::open(&self.path) {
            Ok(file) => Ok(Some(Open { file, offset: 0, rest: Vec::new() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| self.cannot()),
        }
    }

    /// Whether the path leads to another file than the open one, or that file has become shorter.
    fn is_replaced(&self) -> bool {
        let (Some(open), Ok(now)) = (&self.open, fs::metadata(&self.path)) else { return false };
        let is_same = open
            .file
            .metadata()
            .is_ok_and(|then| (then.dev(), then.ino()) == (now.dev(), now.ino()));
        !is_same || now.len() < open.offset
    }

    fn cannot(&self) -> String {
        format!("cannot read {}", self.shown.display())
    }
}

impl Open {
    fn read(&mut self) -> io::Result<usize> {
        let mut chunk = vec![0; CHUNK];
        let read = self.file.read(&mut chunk)?;
        self.rest.extend_from_slice(&chunk[..read]);
        self.offset += read as u64;
        Ok(read)
    }

    /// Takes the complete lines out of what was read.
    fn complete(&mut self) -> Vec<u8> {
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map(|end| end + 1);
        let end = end.unwrap_or(if self.rest.len() > LONGEST { self.rest.len() } else { 0 });
        let rest = self.rest.split_off(end);
        std::mem::replace(&mut self.rest, rest)
    }
}

/// The lines of a file up to its present end.
pub(super) struct Lines<'f> {
    file: &'f mut LogFile,
    read: VecDeque<Line>,
    follows: bool,
}

impl Iterator for Lines<'_> {
    type Item = Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.read.is_empty() {
            match self.file.read() {
                Ok(lines) => self.read.extend(lines),
                Err(error) => return Some(Err(error)),
            }
        }
        let rest = |file: &mut LogFile, follows| if follows { None } else { file.finish() };
        self.read.pop_front().or_else(|| rest(self.file, self.follows)).map(Ok)
    }
}

/// The offset at which the last lines of a file begin.
fn begin_of_last(file: &mut (impl Read + Seek), lines: usize) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let (mut chunk, mut ends, length) = (vec![0; CHUNK], 0, end);
    while end > 0 {
        let begin = end.saturating_sub(CHUNK as u64);
        let read = usize::try_from(end - begin).unwrap_or(CHUNK);
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(&mut chunk[..read])?;
        for (at, _) in chunk[..read].iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let after = begin + at as u64 + 1;
            // The end of the last line begins no line.
            if after < length {
                ends += 1;
            }
            if ends == lines {
                return Ok(after);
            }
        }
        end = begin;
    }
    Ok(0)
}

/// The time at the begin of a line, or in its field `timestamp` if it is JSON.
fn time(line: &str) -> Option<Timestamp> {
    if line.starts_with('{') {
        let record: Value = serde_json::from_str(line).ok()?;
        return record["timestamp"].as_str()?.parse().ok();
    }
    line.split_whitespace().next().filter(|word| word.contains('T'))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Component;
    use std::io::{Cursor, Write as _};
    use std::path::Path;

    fn log(temp: &Path) -> (LogFile, PathBuf) {
        let dir = DataDir::at(temp).unwrap();
        let file = LogFile::of(Component::named("booking").into(), &dir);
        fs::create_dir(temp.join("logs")).unwrap();
        let path = file.path.clone();
        (file, path)
    }

    fn append(path: &Path, text: &str) {
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_file_is_read_on_although_it_grows_is_replaced_and_is_cut() {
        let temp = tempfile::tempdir().unwrap();
        let (mut file, path) = log(temp.path());
        let mut read = || texts(file.read().unwrap());
        assert_eq!(read(), [""; 0], "there is no file yet");
        append(&path, "one\ntw");
        assert_eq!(read(), ["one"]);
        append(&path, "o\nthree\nfour");
        assert_eq!(read(), ["two", "three"]);
        fs::rename(&path, path.with_extension("1")).unwrap();
        append(&path.with_extension("1"), "\nfive\nsi");
        append(&path, "seven\n");
        assert_eq!(read(), ["four", "five"]);
        assert_eq!(read(), ["si", "seven"]);
        append(&path, "eight\n");
        assert_eq!(read(), ["eight"]);
        fs::write(&path, "9\n").unwrap();
        assert_eq!(read(), ["9"]);
        fs::remove_file(&path).unwrap();
        assert_eq!(read(), [""; 0]);
        append(&path, "ten\n");
        assert_eq!(read(), ["ten"]);
    }

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        let begin = |text: &str, lines| begin_of_last(&mut Cursor::new(text), lines).unwrap();
        assert_eq!(begin("one\ntwo\nthree\n", 1), 8);
        assert_eq!(begin("one\ntwo\nthree", 2), 4);
        assert_eq!(begin("one\ntwo\n", 2), 0);
        assert_eq!(begin("one\ntwo\n", 9), 0);
        assert_eq!(begin("", 1), 0);
        let long = "x".repeat(CHUNK * 2);
        assert_eq!(begin(&format!("one\n{long}\ntwo\n"), 2), 4);
    }

    #[test]
    fn the_last_line_may_have_no_end() {
        let temp = tempfile::tempdir().unwrap();
        let (mut file, path) = log(temp.path());
        append(&path, "one\ntwo\nthr");
        file.skip_to_last(2).unwrap();
        let lines: Result<Vec<Line>> = file.lines(false).collect();
        assert_eq!(texts(lines.unwrap()), ["two", "thr"]);

        append(&path, "ee\nfo");
        let lines: Result<Vec<Line>> = file.lines(true).collect();
        assert_eq!(texts(lines.unwrap()), ["ee"]);
        append(&path, "ur\n");
        assert_eq!(texts(file.read().unwrap()), ["four"]);
    }

    #[test]
    fn a_line_says_its_time_or_has_that_of_the_one_before() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let first = "2026-01-01T00:00:00.000001Z";
        assert_eq!(time(&format!("{first}  INFO booking: it runs")), at(first));
        assert_eq!(
            time(&format!("{{\"timestamp\": \"{first}\", \"level\": \"INFO\"}}")),
            at(first)
        );
        for none in ["", "panicked at T", "{\"level\": 1}", "{", "2026-01-01 it runs"] {
            assert_eq!(time(none), None, "{none}");
        }
        let temp = tempfile::tempdir().unwrap();
        let (mut file, path) = log(temp.path());
        append(&path, &format!("{first}  INFO x\nand more\n"));
        let times: Vec<Timestamp> = file.read().unwrap().iter().map(|line| line.at).collect();
        assert_eq!(times, [at(first).unwrap(); 2]);
    }
}
