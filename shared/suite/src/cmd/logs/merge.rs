//! Merges the lines of several logs by their times.

use super::file::Line;
use anyhow::Result;
use std::collections::VecDeque;
use std::iter::Peekable;

/// All lines in the order of their times. Lines of one log keep their order, so that the time of a line without one does
/// not matter. An error comes as soon as it is met.
pub(super) fn merged<I: Iterator<Item = Result<Line>>>(
    logs: impl IntoIterator<Item = I>,
) -> impl Iterator<Item = Result<Line>> {
    let mut logs: Vec<Peekable<I>> = logs.into_iter().map(Iterator::peekable).collect();
    std::iter::from_fn(move || {
        let heads = logs.iter_mut().enumerate().filter_map(|(nth, log)| {
            let head = log.peek()?;
            Some((head.as_ref().ok().map(|line| line.at), nth))
        });
        let (_, earliest) = heads.min()?;
        logs[earliest].next()
    })
}

/// The last lines, at most `most`.
///
/// # Errors
/// The first error among the lines.
pub(super) fn last(
    lines: impl Iterator<Item = Result<Line>>,
    most: usize,
) -> Result<VecDeque<Line>> {
    let mut last = VecDeque::new();
    for line in lines {
        if last.len() == most {
            last.pop_front();
        }
        last.push_back(line?);
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Component;
    use jiff::Timestamp;

    fn log(seconds: &[i64]) -> std::vec::IntoIter<Result<Line>> {
        let line = |(nth, second): (usize, &i64)| {
            let at = Timestamp::from_second(*second).unwrap();
            let process = Component::named("booking").into();
            Ok(Line { process, at, text: format!("{second}.{nth}") })
        };
        seconds.iter().enumerate().map(line).collect::<Vec<_>>().into_iter()
    }

    fn texts(lines: impl Iterator<Item = Result<Line>>) -> Vec<String> {
        lines.map(|line| line.unwrap().text).collect()
    }

    #[test]
    fn lines_come_in_the_order_of_times_and_those_of_one_log_in_their_own() {
        let merged = merged([log(&[1, 4, 3, 9]), log(&[]), log(&[2, 3, 9])]);
        assert_eq!(texts(merged), ["1.0", "2.0", "3.1", "4.1", "3.2", "9.3", "9.2"]);
    }

    #[test]
    fn an_error_is_not_put_off() {
        let broken = vec![Err(anyhow::anyhow!("unreadable"))];
        let mut merged = merged([log(&[1]), broken.into_iter()]);
        assert_eq!(merged.next().unwrap().unwrap_err().to_string(), "unreadable");
    }

    #[test]
    fn the_last_lines_are_kept() {
        let last = last(log(&[1, 2, 3]), 2).unwrap();
        assert_eq!(last.into_iter().map(|line| line.text).collect::<Vec<_>>(), ["2.1", "3.2"]);
    }
}
