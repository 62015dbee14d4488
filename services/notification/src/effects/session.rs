//! One connection to a mail server (RFC 5321). If the server supports it, a mail is sent in one round trip: all
//! commands at once (PIPELINING, RFC 2920), and the text with them (CHUNKING, RFC 3030). The commands come from
//! lettre, whose own transport would need four round trips.

#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "tls"))]
mod tls_tests;

use std::{
    io::{self, Write},
    time::Duration,
};

use lettre::{
    Message,
    address::Envelope,
    transport::smtp::{
        authentication::{Credentials, DEFAULT_MECHANISMS},
        commands::{Auth, Data, Ehlo, Mail, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    time::timeout,
};

use super::{
    error::{SessionError, Step},
    reply::Reply,
    server::{Security, Server},
    tls::Tls,
    wire::Wire,
};

/// How long a server may take from the connection to the accepted login.
const OPENING_LIMIT: Duration = Duration::from_secs(5);
/// The most bytes of a reply. Those to EHLO are the longest.
const REPLY_LIMIT: usize = 64 * 1024;
/// The most challenges that a server may send before it accepts a login.
const CHALLENGES: usize = 10;

/// A connection on which the server accepts mail.
pub(super) struct Session {
    stream: BufReader<Wire>,
    server: ServerInfo,
    pipelining: bool,
    chunking: bool,
    starttls: bool,
}

/// A command and its step in the dialogue.
struct Command {
    step: Step,
    text: String,
}

impl Session {
    pub(super) async fn open(server: &Server, hello: &ClientId) -> Result<Self, SessionError> {
        let timed_out = || io::Error::from(io::ErrorKind::TimedOut);
        let opened = timeout(OPENING_LIMIT, Self::connect(server, hello)).await;
        opened.unwrap_or_else(|_| Err(SessionError::Connect(timed_out())))
    }

    async fn connect(server: &Server, hello: &ClientId) -> Result<Self, SessionError> {
        let mut session = Self::over(server.connect().await?);
        session.reply(Step::Greeting).await?;
        session.greet(hello).await?;
        let credentials = match &server.security {
            Security::Plain => None,
            Security::Implicit(_, credentials) => credentials.as_ref(),
            Security::StartTls(tls, credentials) => {
                session = session.encrypt(tls).await?;
                // The unencrypted reply may be forged, so the extensions are asked for again (RFC 3207 §4.2).
                session.greet(hello).await?;
                credentials.as_ref()
            }
        };
        if let Some(credentials) = credentials {
            session.log_in(credentials).await?;
        }
        Ok(session)
    }

    fn over(wire: Wire) -> Self {
        let (stream, server) = (BufReader::new(wire), ServerInfo::default());
        Self { stream, server, pipelining: false, chunking: false, starttls: false }
    }

    async fn greet(&mut self, hello: &ClientId) -> Result<(), SessionError> {
        let step = Step::Ehlo;
        let reply = self.ask(step, &Ehlo::new(hello.clone()).to_string()).await?;
        let announces = |keyword| reply.lines().any(|line| line.eq_ignore_ascii_case(keyword));
        self.pipelining = announces("PIPELINING");
        self.chunking = announces("CHUNKING");
        self.starttls = announces("STARTTLS");
        let response = reply.response();
        let server = response.and_then(|response| ServerInfo::from_response(&response).ok());
        self.server = server.ok_or(SessionError::Unreadable { step })?;
        Ok(())
    }

    async fn encrypt(mut self, tls: &Tls) -> Result<Self, SessionError> {
        if !self.starttls {
            return Err(SessionError::NoStartTls);
        }
        self.ask(Step::StartTls, "STARTTLS\r\n").await?;
        if !self.stream.buffer().is_empty() {
            return Err(SessionError::Injected);
        }
        let wire = tls.over(self.stream.into_inner()).await.map_err(SessionError::Tls)?;
        Ok(Self::over(wire))
    }

    async fn log_in(&mut self, credentials: &Credentials) -> Result<(), SessionError> {
        let (step, bad_challenge) = (Step::Auth, SessionError::Challenge);
        let mechanism = self.server.get_auth_mechanism(DEFAULT_MECHANISMS);
        let mechanism = mechanism.ok_or(SessionError::NoLogin)?;
        let mut next = Auth::new(mechanism, credentials.clone(), None).map_err(bad_challenge)?;
        for _ in 0..CHALLENGES {
            let reply = self.ask(step, &next.to_string()).await?;
            if reply.code() != 334 {
                return Ok(());
            }
            let challenge = reply.response().ok_or(SessionError::Unreadable { step })?;
            next = Auth::new_from_response(mechanism, credentials.clone(), &challenge)
                .map_err(bad_challenge)?;
        }
        Err(SessionError::Endless { step })
    }

    /// Sends a mail. After an error the session must not be reused, because it is unknown what the server waits for.
    pub(super) async fn send(&mut self, mail: &Message) -> Result<(), SessionError> {
        let text = mail.formatted();
        let mut commands = self.envelope(mail.envelope(), text.is_ascii())?;
        if self.pipelining && self.chunking {
            let mut all = concatenated(&commands);
            // Writing to a vector cannot fail.
            let _ = write!(all, "BDAT {} LAST\r\n", text.len());
            all.extend_from_slice(&text);
            self.write(Step::Mail, &all).await?;
            commands.push(Command { step: Step::Text, text: String::new() });
            return self.replies(&commands).await;
        }
        commands.push(Command { step: Step::Data, text: Data.to_string() });
        if self.pipelining {
            self.write(Step::Mail, &concatenated(&commands)).await?;
            self.replies(&commands).await?;
        } else {
            for Command { step, text } in commands {
                self.ask(step, &text).await?;
            }
        }
        self.write(Step::Text, &stuffed(&text)).await?;
        self.reply(Step::Text).await.map(drop)
    }

    /// The commands for sender and recipients, or an error if the server lacks an extension that they need.
    fn envelope(&self, envelope: &Envelope, is_ascii: bool) -> Result<Vec<Command>, SessionError> {
        let beyond_ascii = |address: &lettre::Address| !AsRef::<str>::as_ref(address).is_ascii();
        let recipient_beyond_ascii = envelope.to().iter().any(beyond_ascii);
        let require = |extension| match self.server.supports_feature(extension) {
            true => Ok(()),
            false if recipient_beyond_ascii => Err(SessionError::RecipientNeeds(extension)),
            false => Err(SessionError::SenderNeeds(extension)),
        };
        let mut parameters = Vec::new();
        if recipient_beyond_ascii || envelope.from().is_some_and(beyond_ascii) {
            require(Extension::SmtpUtfEight)?;
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !is_ascii {
            require(Extension::EightBitMime)?;
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let from = Mail::new(envelope.from().cloned(), parameters).to_string();
        let from = Command { step: Step::Mail, text: from };
        let to = envelope.to().iter().map(|to| {
            let text = Rcpt::new(to.clone(), Vec::new()).to_string();
            Command { step: Step::Rcpt, text }
        });
        Ok(std::iter::once(from).chain(to).collect())
    }

    async fn ask(&mut self, step: Step, command: &str) -> Result<Reply, SessionError> {
        self.write(step, command.as_bytes()).await?;
        self.reply(step).await
    }

    async fn write(&mut self, step: Step, bytes: &[u8]) -> Result<(), SessionError> {
        let broken = |error| SessionError::Broken { step, error };
        self.stream.write_all(bytes).await.map_err(broken)?;
        // TLS buffers what the connection does not accept at once.
        self.stream.flush().await.map_err(broken)
    }

    async fn replies(&mut self, commands: &[Command]) -> Result<(), SessionError> {
        for command in commands {
            self.reply(command.step).await?;
        }
        Ok(())
    }

    /// Reads the next reply. Its last line is the one without a hyphen after the code (RFC 5321 §4.2.1).
    async fn reply(&mut self, step: Step) -> Result<Reply, SessionError> {
        let broken = |error| SessionError::Broken { step, error };
        let mut reply = Vec::new();
        loop {
            let begin = reply.len();
            let limit = u64::try_from(REPLY_LIMIT - begin).unwrap_or(0);
            let read = (&mut self.stream).take(limit).read_until(b'\n', &mut reply).await;
            let ended = read.map_err(broken)? == 0;
            if reply.len() >= REPLY_LIMIT {
                return Err(SessionError::Endless { step });
            }
            if ended || reply.last() != Some(&b'\n') {
                return Err(broken(io::ErrorKind::UnexpectedEof.into()));
            }
            if reply.get(begin + 3) != Some(&b'-') {
                break;
            }
        }
        let reply = Reply::parse(&reply).ok_or(SessionError::Unreadable { step })?;
        if step.is_done(&reply) { Ok(reply) } else { Err(SessionError::Refused { step, reply }) }
    }
}

fn concatenated(commands: &[Command]) -> Vec<u8> {
    commands.iter().flat_map(|command| command.text.bytes()).collect()
}

/// The text in the form that DATA requires: dots at the start of lines are doubled (RFC 5321 §4.5.2), and a line
/// with one dot ends it.
fn stuffed(text: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(text.len() + 8);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    if !stuffed.ends_with(b"\r\n") {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}
