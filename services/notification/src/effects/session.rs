//! One connection to a mail server (RFC 5321). A mail is handed over in one go where the server takes it
//! so: its commands together (PIPELINING, RFC 2920), and its text with them (CHUNKING, RFC 3030). lettre,
//! whose commands these are, waits for four replies one by one.

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
    error::{SessionError, Stage},
    reply::Reply,
    server::{Security, Server},
    tls::Tls,
    wire::Wire,
};

/// How long a server may take to let us in.
const LET_IN: Duration = Duration::from_secs(5);
/// Bytes of a reply; EHLO's are the longest.
const REPLY_LIMIT: usize = 64 * 1024;
/// How often a server may ask before it believes who we are.
const CHALLENGES: usize = 10;

/// A server that has let us in.
pub(super) struct Session {
    stream: BufReader<Wire>,
    server: ServerInfo,
    pipelining: bool,
    chunking: bool,
    starttls: bool,
}

/// A command and its place in the dialogue.
struct Command {
    stage: Stage,
    text: String,
}

impl Session {
    pub(super) async fn open(server: &Server, hello: &ClientId) -> Result<Self, SessionError> {
        let timed_out = || io::Error::from(io::ErrorKind::TimedOut);
        let let_in = timeout(LET_IN, Self::let_in(server, hello)).await;
        let_in.unwrap_or_else(|_| Err(SessionError::Connect(timed_out())))
    }

    async fn let_in(server: &Server, hello: &ClientId) -> Result<Self, SessionError> {
        let mut session = Self::over(server.connect().await?);
        session.reply(Stage::Greeting).await?;
        session.greet(hello).await?;
        let credentials = match &server.security {
            Security::Plain => None,
            Security::Implicit(_, credentials) => credentials.as_ref(),
            Security::StartTls(tls, credentials) => {
                session = session.encrypt(tls).await?;
                // What was announced in clear, anybody may have said (RFC 3207 §4.2).
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
        let stage = Stage::Ehlo;
        let greeted = self.ask(stage, &Ehlo::new(hello.clone()).to_string()).await?;
        let announces = |keyword| greeted.lines().any(|line| line.eq_ignore_ascii_case(keyword));
        self.pipelining = announces("PIPELINING");
        self.chunking = announces("CHUNKING");
        self.starttls = announces("STARTTLS");
        let server = greeted.response().and_then(|it| ServerInfo::from_response(&it).ok());
        self.server = server.ok_or(SessionError::Unreadable { stage })?;
        Ok(())
    }

    async fn encrypt(mut self, tls: &Tls) -> Result<Self, SessionError> {
        if !self.starttls {
            return Err(SessionError::NoStartTls);
        }
        self.ask(Stage::StartTls, "STARTTLS\r\n").await?;
        if !self.stream.buffer().is_empty() {
            return Err(SessionError::Injected);
        }
        let wire = tls.over(self.stream.into_inner()).await.map_err(SessionError::Tls)?;
        Ok(Self::over(wire))
    }

    async fn log_in(&mut self, credentials: &Credentials) -> Result<(), SessionError> {
        let (stage, strange) = (Stage::Auth, SessionError::Challenge);
        let mechanism = self.server.get_auth_mechanism(DEFAULT_MECHANISMS);
        let mechanism = mechanism.ok_or(SessionError::NoLogin)?;
        let mut next = Auth::new(mechanism, credentials.clone(), None).map_err(strange)?;
        for _ in 0..CHALLENGES {
            let reply = self.ask(stage, &next.to_string()).await?;
            if reply.code() != 334 {
                return Ok(());
            }
            let asked = reply.response().ok_or(SessionError::Unreadable { stage })?;
            next =
                Auth::new_from_response(mechanism, credentials.clone(), &asked).map_err(strange)?;
        }
        Err(SessionError::Endless { stage })
    }

    /// Hands a mail over. After an error the session is of no more use: what the server still waits for
    /// is not known.
    pub(super) async fn send(&mut self, mail: &Message) -> Result<(), SessionError> {
        let text = mail.formatted();
        let mut commands = self.envelope(mail.envelope(), text.is_ascii())?;
        if self.pipelining && self.chunking {
            let mut all = together(&commands);
            // Writing into a vector cannot fail.
            let _ = write!(all, "BDAT {} LAST\r\n", text.len());
            all.extend_from_slice(&text);
            self.write(Stage::Mail, &all).await?;
            commands.push(Command { stage: Stage::Text, text: String::new() });
            return self.replies(&commands).await;
        }
        commands.push(Command { stage: Stage::Data, text: Data.to_string() });
        if self.pipelining {
            self.write(Stage::Mail, &together(&commands)).await?;
            self.replies(&commands).await?;
        } else {
            for Command { stage, text } in commands {
                self.ask(stage, &text).await?;
            }
        }
        self.write(Stage::Text, &stuffed(&text)).await?;
        self.reply(Stage::Text).await.map(drop)
    }

    /// From whom and to whom, and what the server must be able to do.
    fn envelope(&self, envelope: &Envelope, is_ascii: bool) -> Result<Vec<Command>, SessionError> {
        let beyond_ascii = |address: &lettre::Address| !AsRef::<str>::as_ref(address).is_ascii();
        let recipients = envelope.to().iter().any(beyond_ascii);
        let require = |extension| match self.server.supports_feature(extension) {
            true => Ok(()),
            false if recipients => Err(SessionError::RecipientNeeds(extension)),
            false => Err(SessionError::SenderNeeds(extension)),
        };
        let mut parameters = Vec::new();
        if recipients || envelope.from().is_some_and(beyond_ascii) {
            require(Extension::SmtpUtfEight)?;
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !is_ascii {
            require(Extension::EightBitMime)?;
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let from = Mail::new(envelope.from().cloned(), parameters).to_string();
        let from = Command { stage: Stage::Mail, text: from };
        let to = envelope.to().iter().map(|to| {
            let text = Rcpt::new(to.clone(), Vec::new()).to_string();
            Command { stage: Stage::Rcpt, text }
        });
        Ok(std::iter::once(from).chain(to).collect())
    }

    async fn ask(&mut self, stage: Stage, command: &str) -> Result<Reply, SessionError> {
        self.write(stage, command.as_bytes()).await?;
        self.reply(stage).await
    }

    async fn write(&mut self, stage: Stage, bytes: &[u8]) -> Result<(), SessionError> {
        let broken = |error| SessionError::Broken { stage, error };
        self.stream.write_all(bytes).await.map_err(broken)?;
        // TLS keeps back what the connection does not take at once.
        self.stream.flush().await.map_err(broken)
    }

    async fn replies(&mut self, commands: &[Command]) -> Result<(), SessionError> {
        for command in commands {
            self.reply(command.stage).await?;
        }
        Ok(())
    }

    /// The next reply: the last of its lines has no hyphen after its code (RFC 5321 §4.2.1).
    async fn reply(&mut self, stage: Stage) -> Result<Reply, SessionError> {
        let broken = |error| SessionError::Broken { stage, error };
        let mut reply = Vec::new();
        loop {
            let begin = reply.len();
            let limit = u64::try_from(REPLY_LIMIT - begin).unwrap_or(0);
            let read = (&mut self.stream).take(limit).read_until(b'\n', &mut reply).await;
            let ended = read.map_err(broken)? == 0;
            if reply.len() >= REPLY_LIMIT {
                return Err(SessionError::Endless { stage });
            }
            if ended || reply.last() != Some(&b'\n') {
                return Err(broken(io::ErrorKind::UnexpectedEof.into()));
            }
            if reply.get(begin + 3) != Some(&b'-') {
                break;
            }
        }
        let reply = Reply::parse(&reply).ok_or(SessionError::Unreadable { stage })?;
        if stage.is_done(&reply) { Ok(reply) } else { Err(SessionError::Refused { stage, reply }) }
    }
}

fn together(commands: &[Command]) -> Vec<u8> {
    commands.iter().flat_map(|command| command.text.bytes()).collect()
}

/// The text as DATA takes it: its dots doubled (RFC 5321 §4.5.2), and its end.
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
