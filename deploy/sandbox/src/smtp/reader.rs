//! Reads command lines and messages from a connection, with limits.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// The most bytes of a command line: eight times what RFC 5321 requires.
pub const LINE_LIMIT: usize = 4096;
/// The most bytes of a message.
pub const MESSAGE_LIMIT: usize = 1024 * 1024;

/// The result of reading a line or a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Read<T> {
    /// It was read completely.
    Whole(T),
    /// It exceeded the limit and was skipped.
    TooLong,
    /// The peer closed the connection before its end.
    Closed,
}

/// Reads a command line, without its line end.
pub async fn line<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<Read<String>> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        line.clear();
        piece(reader, &mut line).await?;
        if line.is_empty() {
            return Ok(Read::Closed);
        }
        if line.last() == Some(&b'\n') {
            break;
        }
        too_long = line.len() >= LINE_LIMIT;
        if !too_long {
            return Ok(Read::Closed);
        }
    }
    if too_long {
        return Ok(Read::TooLong);
    }
    let text = String::from_utf8_lossy(&line);
    Ok(Read::Whole(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Reads a message up to the line with a single dot. Only CRLF ends a line (RFC 5321 §4.1.1.4).
pub async fn message<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<Read<Vec<u8>>> {
    let mut message = Vec::new();
    let mut too_long = false;
    let mut line = Vec::new();
    let mut line_begins = true;
    loop {
        line.clear();
        piece(reader, &mut line).await?;
        if line.is_empty() {
            return Ok(Read::Closed);
        }
        if line_begins && line == b".\r\n" {
            break;
        }
        // The sender has doubled each leading dot.
        let content = if line_begins && line[0] == b'.' { &line[1..] } else { &line };
        too_long |= message.len() + content.len() > MESSAGE_LIMIT;
        if !too_long {
            message.extend_from_slice(content);
        }
        line_begins = line.ends_with(b"\r\n");
    }
    Ok(if too_long { Read::TooLong } else { Read::Whole(message) })
}

/// Reads a chunk of `size` bytes and appends it to `message` unchanged (RFC 3030 §2), within the limit for both
/// together.
pub async fn chunk<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    size: u64,
    mut message: Vec<u8>,
) -> io::Result<Read<Vec<u8>>> {
    let mut reader = (&mut *reader).take(size);
    let begin = message.len() as u64;
    if begin.saturating_add(size) > MESSAGE_LIMIT as u64 {
        let skipped = tokio::io::copy_buf(&mut reader, &mut tokio::io::sink()).await?;
        return Ok(if skipped == size { Read::TooLong } else { Read::Closed });
    }
    let read = reader.read_to_end(&mut message).await?;
    Ok(if read as u64 == size { Read::Whole(message) } else { Read::Closed })
}

/// Reads up to a line feed or the limit.
async fn piece<R: AsyncBufRead + Unpin>(reader: &mut R, line: &mut Vec<u8>) -> io::Result<usize> {
    (&mut *reader).take(LINE_LIMIT as u64).read_until(b'\n', line).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_over_the_limit_are_skipped_whole() {
        let long = "x".repeat(3 * LINE_LIMIT);
        let wire = format!("NOOP\r\n{long}\r\nQUIT\nhalf a li");
        let mut reader = wire.as_bytes();
        assert_eq!(line(&mut reader).await.unwrap(), Read::Whole("NOOP".to_owned()));
        assert_eq!(line(&mut reader).await.unwrap(), Read::TooLong);
        assert_eq!(line(&mut reader).await.unwrap(), Read::Whole("QUIT".to_owned()));
        assert_eq!(line(&mut reader).await.unwrap(), Read::Closed);
    }

    #[tokio::test]
    async fn only_a_line_with_a_single_dot_ends_a_message() {
        let mut wire: &[u8] = b"a\r\n..b\r\n.c\r\nd\n.\r\ne\r\n.\r\nQUIT\r\n";
        let read = message(&mut wire).await.unwrap();
        assert_eq!(read, Read::Whole(b"a\r\n.b\r\nc\r\nd\n.\r\ne\r\n".to_vec()));
        assert_eq!(wire, b"QUIT\r\n");
    }

    #[tokio::test]
    async fn a_message_over_the_limit_is_skipped_whole() {
        let mut wire = "0123456789abcdef\r\n".repeat(MESSAGE_LIMIT / 16);
        wire.push_str(".\r\nQUIT\r\n");
        let mut wire = wire.as_bytes();
        assert_eq!(message(&mut wire).await.unwrap(), Read::TooLong);
        assert_eq!(wire, b"QUIT\r\n");
    }

    #[tokio::test]
    async fn an_incomplete_message_is_reported_as_closed() {
        let mut wire: &[u8] = b"a\r\n";
        assert_eq!(message(&mut wire).await.unwrap(), Read::Closed);
        let mut wire: &[u8] = b"abc";
        assert_eq!(chunk(&mut wire, 4, Vec::new()).await.unwrap(), Read::Closed);
    }

    #[tokio::test]
    async fn chunks_are_joined_unchanged_up_to_the_limit() {
        let mut wire: &[u8] = b"a\n..\r\n.\r\nQUIT\r\n";
        let begun = b"first".to_vec();
        let whole = Read::Whole(b"firsta\n..\r\n.\r\n".to_vec());
        assert_eq!(chunk(&mut wire, 9, begun.clone()).await.unwrap(), whole);
        assert_eq!(wire, b"QUIT\r\n");
        let too_long = "x".repeat(MESSAGE_LIMIT - begun.len() + 1) + "QUIT\r\n";
        let mut wire = too_long.as_bytes();
        let size = too_long.len() as u64 - 6;
        assert_eq!(chunk(&mut wire, size, begun.clone()).await.unwrap(), Read::TooLong);
        assert_eq!(wire, b"QUIT\r\n");
        let mut wire: &[u8] = b"x";
        assert_eq!(chunk(&mut wire, u64::MAX, begun).await.unwrap(), Read::Closed);
    }
}
