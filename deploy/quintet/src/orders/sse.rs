//! The format of server-sent events, as far as it is used here.

use std::collections::VecDeque;

/// An event's data, and the buffer that it grows in: nothing of ours comes near it.
const LONGEST: usize = 1 << 20;

/// Takes bytes as they come and gives the events' data.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// A line that has not ended.
    line: Vec<u8>,
    /// The lines of an event that has not ended.
    data: Option<String>,
    ready: VecDeque<String>,
}

/// It goes on and on without an end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Parser {
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.line(&String::from_utf8_lossy(&line));
            } else {
                self.line.push(byte);
            }
            if self.line.len() + self.data.as_ref().map_or(0, String::len) > LONGEST {
                return Err(TooLong);
            }
        }
        Ok(())
    }

    /// The data of the next event that is complete.
    pub(super) fn next(&mut self) -> Option<String> {
        self.ready.pop_front()
    }

    fn line(&mut self, line: &str) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            self.ready.extend(self.data.take());
            return;
        }
        // The event's id and name stand in its data too; a line without a name is a comment.
        let Some(rest) = line.strip_prefix("data:") else { return };
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match &mut self.data {
            None => self.data = Some(rest.to_owned()),
            Some(data) => {
                data.push('\n');
                data.push_str(rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = ": hello\n\nid: 1\nevent: OrderPlaced\ndata: {\"é\":\ndata:1}\n\n\
                        : still here\n\nid:2\r\ndata: second\r\n\r\ndata: half";

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        for size in 1..TEXT.len() {
            let mut parser = Parser::default();
            for piece in TEXT.as_bytes().chunks(size) {
                parser.take(piece).unwrap();
            }
            assert_eq!(parser.next().as_deref(), Some("{\"é\":\n1}"), "in pieces of {size}");
            assert_eq!(parser.next().as_deref(), Some("second"));
            assert_eq!(parser.next(), None, "an event without its end is none");
        }
    }

    #[test]
    fn what_never_ends_is_given_up() {
        let mut parser = Parser::default();
        parser.take(&vec![b'x'; LONGEST]).unwrap();
        assert_eq!(parser.take(b"x"), Err(TooLong));
    }
}
