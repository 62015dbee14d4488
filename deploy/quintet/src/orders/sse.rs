//! A parser of server-sent events, for the fields that the order service sends.

use std::collections::VecDeque;

/// The longest data of an event, with the line that is being read. The order service's events are far shorter.
const LONGEST: usize = 1 << 20;

/// Takes the bytes of a stream in pieces, and returns the data of its events.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// A line that has not ended.
    line: Vec<u8>,
    /// The lines of an event that has not ended.
    data: Option<String>,
    ready: VecDeque<String>,
}

/// An event is longer than [`LONGEST`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Parser {
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.take_line(&String::from_utf8_lossy(&line));
            } else {
                self.line.push(byte);
            }
            if self.line.len() + self.data.as_ref().map_or(0, String::len) > LONGEST {
                return Err(TooLong);
            }
        }
        Ok(())
    }

    /// The data of the next complete event.
    pub(super) fn next(&mut self) -> Option<String> {
        self.ready.pop_front()
    }

    fn take_line(&mut self, line: &str) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            self.ready.extend(self.data.take());
            return;
        }
        // Other fields are not needed: the data repeats the event's id and name. A line that begins with `:` is a comment.
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
    fn events_are_found_wherever_the_bytes_are_split() {
        for size in 1..TEXT.len() {
            let mut parser = Parser::default();
            for piece in TEXT.as_bytes().chunks(size) {
                parser.take(piece).unwrap();
            }
            assert_eq!(parser.next().as_deref(), Some("{\"é\":\n1}"), "in pieces of {size}");
            assert_eq!(parser.next().as_deref(), Some("second"));
            assert_eq!(parser.next(), None, "an event ends with an empty line");
        }
    }

    #[test]
    fn an_event_that_never_ends_is_refused() {
        let mut parser = Parser::default();
        parser.take(&vec![b'x'; LONGEST]).unwrap();
        assert_eq!(parser.take(b"x"), Err(TooLong));
    }
}
