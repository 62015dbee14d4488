//! One SMTP connection (RFC 5321) with PIPELINING, CHUNKING, SIZE, 8BITMIME, SMTPUTF8 and enhanced status codes.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader, BufWriter};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::Desk;
use crate::faults::{Provider, TurnedAway};
use crate::ledger::Request;
use crate::mail;

use super::reader::{self, MESSAGE_LIMIT, Read};

/// How long a client may send nothing (RFC 5321 §4.5.3.2.7).
const IDLE: Duration = Duration::from_mins(5);
/// The most recipients of a mail (RFC 5321 §4.5.3.1.8).
const RECIPIENTS: usize = 100;
/// Mail to this domain is refused.
const BOUNCING_DOMAIN: &str = "bounce.example";
/// Mail to this domain and its subdomains is poisoned: accepted, unless the knob `poison` says otherwise.
const POISONED_DOMAIN: &str = "poisoned.example";
/// The reply when the server stops or is out of service.
const CLOSING: &str = "421 4.3.2 the mail sink is not available";
/// The reply to a client that has sent nothing for too long.
const SILENT: &str = "421 4.4.2 silent for too long";

/// One connection.
pub struct Session {
    desk: Arc<Desk>,
    reader: BufReader<OwnedReadHalf>,
    writer: BufWriter<OwnedWriteHalf>,
    greeted: bool,
    over: bool,
    envelope: Option<Envelope>,
}

struct Envelope {
    recipients: Vec<String>,
    answer_lost: bool,
    /// The chunks of the message that BDAT has brought so far.
    chunks: Option<Vec<u8>>,
}

impl Session {
    /// A session that has not sent its greeting yet.
    pub fn new(stream: TcpStream, desk: Arc<Desk>) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            desk,
            reader: BufReader::new(reader),
            writer: BufWriter::new(writer),
            greeted: false,
            over: false,
            envelope: None,
        }
    }

    /// Serves the client until it quits, it closes the connection, or the server stops.
    pub async fn run(mut self, stopped: watch::Receiver<bool>) -> io::Result<()> {
        let stopping = crate::end(stopped);
        tokio::pin!(stopping);
        if self.desk.faults.out(Provider::Mail) {
            self.hang_up(CLOSING).await?;
        } else {
            self.say("220 quintet-sandbox ESMTP").await?;
        }
        while !self.over {
            // Replies to pipelined commands are sent together, before the next command is awaited.
            if !self.reader.buffer().contains(&b'\n') {
                self.writer.flush().await?;
            }
            let line = tokio::select! {
                line = timeout(IDLE, reader::line(&mut self.reader)) => Some(line),
                () = &mut stopping => None,
            };
            match line {
                None => self.hang_up(CLOSING).await?,
                Some(Err(_)) => self.hang_up(SILENT).await?,
                Some(Ok(line)) => match line? {
                    Read::Whole(line) => self.obey(&line).await?,
                    Read::TooLong => self.say("500 5.5.2 line too long").await?,
                    Read::Closed => return Ok(()),
                },
            }
        }
        self.writer.flush().await
    }

    async fn obey(&mut self, line: &str) -> io::Result<()> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match verb.to_ascii_uppercase().as_str() {
            "HELO" | "EHLO" if rest.is_empty() => self.say("501 5.5.4 say who you are").await,
            "HELO" => self.greet("250 quintet-sandbox").await,
            "EHLO" => {
                self.greet(&format!(
                    "250-quintet-sandbox\r\n250-PIPELINING\r\n250-CHUNKING\r\n\
                     250-SIZE {MESSAGE_LIMIT}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES"
                ))
                .await
            }
            "MAIL" => self.mail(rest).await,
            "RCPT" => self.rcpt(rest).await,
            "DATA" => self.data().await,
            "BDAT" => self.bdat(rest).await,
            "RSET" => {
                self.envelope = None;
                self.say("250 2.0.0 forgotten").await
            }
            "NOOP" => self.say("250 2.0.0 nothing done").await,
            "VRFY" => self.say("252 2.1.5 send some mail and see").await,
            "HELP" => self.say("214 2.0.0 RFC 5321").await,
            "QUIT" => self.hang_up("221 2.0.0 bye").await,
            _ => self.say("500 5.5.1 unknown command").await,
        }
    }

    async fn greet(&mut self, reply: &str) -> io::Result<()> {
        self.greeted = true;
        self.envelope = None;
        self.say(reply).await
    }

    async fn mail(&mut self, rest: &str) -> io::Result<()> {
        if !self.greeted {
            return self.say("503 5.5.1 say EHLO first").await;
        }
        if self.envelope.is_some() {
            return self.say("503 5.5.1 one mail at a time").await;
        }
        let Some((_, parameters)) = path(rest, "FROM:") else {
            return self.say("501 5.5.4 say MAIL FROM:<address>").await;
        };
        if let Err(reply) = check(parameters) {
            return self.say(reply).await;
        }
        // The faults apply here, because a refusal of MAIL cannot contradict an earlier reply about the same mail.
        match self.desk.faults.admit(Provider::Mail).await {
            Ok(admitted) => {
                let answer_lost = admitted.answer_lost;
                self.envelope = Some(Envelope { recipients: vec![], answer_lost, chunks: None });
                self.say("250 2.1.0 go on").await
            }
            Err(TurnedAway::Error | TurnedAway::Malformed) => {
                self.say("451 4.3.0 try again later").await
            }
            Err(TurnedAway::Outage) => self.hang_up(CLOSING).await,
        }
    }

    async fn rcpt(&mut self, rest: &str) -> io::Result<()> {
        let Some(envelope) = &mut self.envelope else {
            return self.say("503 5.5.1 say MAIL first").await;
        };
        let Some((address, _)) = path(rest, "TO:") else {
            return self.say("501 5.5.4 say RCPT TO:<address>").await;
        };
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain).to_ascii_lowercase();
        let above = domain.strip_suffix(POISONED_DOMAIN);
        if above.is_some_and(|above| above.is_empty() || above.ends_with('.')) {
            // A hanging connection must not count once its client has given up.
            let admitted = tokio::select! {
                admitted = self.desk.faults.admit_poisoned(Provider::Mail) => Some(admitted),
                () = gone(&mut self.reader) => None,
            };
            match admitted {
                Some(Ok(())) => {}
                Some(Err(TurnedAway::Malformed)) => {
                    return self.say("553 5.1.3 the address is refused").await;
                }
                Some(Err(_)) => return self.say("450 4.2.0 try again later").await,
                None => return self.hang_up(CLOSING).await,
            }
        }
        let reply = match address.rsplit_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() => {
                if domain.eq_ignore_ascii_case(BOUNCING_DOMAIN) {
                    "550 5.1.1 no such mailbox"
                } else if envelope.recipients.len() >= RECIPIENTS {
                    "452 4.5.3 too many recipients"
                } else {
                    envelope.recipients.push(address.to_owned());
                    "250 2.1.5 go on"
                }
            }
            _ => "553 5.1.3 an address has a local part and a domain",
        };
        self.say(reply).await
    }

    async fn data(&mut self) -> io::Result<()> {
        let Some(envelope) = self.envelope.take() else {
            return self.say("503 5.5.1 say MAIL first").await;
        };
        if envelope.recipients.is_empty() {
            return self.say("554 5.5.1 no valid recipients").await;
        }
        if envelope.chunks.is_some() {
            return self.say("503 5.5.1 go on with BDAT").await;
        }
        self.say("354 end with a lone dot").await?;
        self.writer.flush().await?;
        let Ok(message) = timeout(IDLE, reader::message(&mut self.reader)).await else {
            return self.hang_up(SILENT).await;
        };
        match message? {
            Read::Closed => {
                self.over = true;
                Ok(())
            }
            Read::TooLong => self.say("552 5.3.4 message too large").await,
            Read::Whole(message) => self.keep(&envelope, &message).await,
        }
    }

    /// Handles BDAT (RFC 3030). The chunk follows the command, so it must be read whatever the reply is.
    async fn bdat(&mut self, rest: &str) -> io::Result<()> {
        let Some((size, last)) = size_and_last(rest) else {
            // Without the size it is unknown where the next command begins.
            return self
                .hang_up("501 5.5.4 say BDAT and a number of bytes, LAST with the last")
                .await;
        };
        let mut envelope = self.envelope.take();
        let chunks = envelope.as_mut().and_then(|envelope| envelope.chunks.take());
        let chunks = chunks.unwrap_or_default();
        let Ok(chunks) = timeout(IDLE, reader::chunk(&mut self.reader, size, chunks)).await else {
            return self.hang_up(SILENT).await;
        };
        match (chunks?, envelope) {
            (Read::Closed, _) => {
                self.over = true;
                Ok(())
            }
            (_, None) => self.say("503 5.5.1 say MAIL first").await,
            (_, Some(envelope)) if envelope.recipients.is_empty() => {
                self.say("554 5.5.1 no valid recipients").await
            }
            (Read::TooLong, _) => self.say("552 5.3.4 message too large").await,
            (Read::Whole(message), Some(envelope)) if last => self.keep(&envelope, &message).await,
            (Read::Whole(chunks), Some(envelope)) => {
                self.envelope = Some(Envelope { chunks: Some(chunks), ..envelope });
                self.say("250 2.0.0 go on").await
            }
        }
    }

    async fn keep(&mut self, envelope: &Envelope, message: &[u8]) -> io::Result<()> {
        let mail = mail::read(message, &envelope.recipients);
        match self.desk.ledger.record(Request::Mail(mail)).await {
            Ok(_) if envelope.answer_lost => {
                self.over = true;
                Ok(())
            }
            Ok(_) => self.say("250 2.0.0 stored").await,
            Err(_) => self.say("451 4.3.0 the ledger could not commit, try again").await,
        }
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        self.writer.write_all(reply.as_bytes()).await?;
        self.writer.write_all(b"\r\n").await
    }

    async fn hang_up(&mut self, reply: &str) -> io::Result<()> {
        self.over = true;
        self.say(reply).await
    }
}

/// Waits until the client has closed its end. This cannot be noticed while unread data is pending: then it waits
/// for ever.
async fn gone(reader: &mut BufReader<OwnedReadHalf>) {
    if reader.get_mut().peek(&mut [0]).await.is_ok_and(|more| more > 0) {
        pending::<()>().await;
    }
}

/// Splits `FROM:<address> parameters` into address and parameters.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (prefix, rest) = rest.split_at_checked(keyword.len())?;
    if !prefix.eq_ignore_ascii_case(keyword) {
        return None;
    }
    rest.trim_start().strip_prefix('<')?.split_once('>')
}

/// The arguments of BDAT: the number of bytes, and whether they are the last.
fn size_and_last(rest: &str) -> Option<(u64, bool)> {
    let (size, last) = rest.split_once(' ').unwrap_or((rest, ""));
    let size = size.parse().ok()?;
    (last.is_empty() || last.eq_ignore_ascii_case("LAST")).then_some((size, !last.is_empty()))
}

/// Accepts the parameters of the extensions that EHLO announced.
fn check(parameters: &str) -> Result<(), &'static str> {
    for parameter in parameters.split_ascii_whitespace() {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name.to_ascii_uppercase().as_str() {
            "SIZE" => match value.parse::<usize>() {
                Ok(size) if size <= MESSAGE_LIMIT => {}
                Ok(_) => return Err("552 5.3.4 message too large"),
                Err(_) => return Err("501 5.5.4 SIZE is a number of bytes"),
            },
            "BODY" | "SMTPUTF8" => {}
            _ => return Err("555 5.5.4 unknown parameter"),
        }
    }
    Ok(())
}
