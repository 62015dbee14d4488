//! One connection to a mail server (RFC 5321). A mail is handed over in one go where the server takes it
//! so: its commands together (PIPELINING, RFC 2920), and its text with them (CHUNKING, RFC 3030). lettre,
//! whose commands and replies these are, waits for four replies one by one.

use std::{
    io::{self, Write},
    time::Duration,
};

use lettre::{
    Message,
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        commands::{Auth, Data, Ehlo, Mail, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo},
        response::Response,
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// How long a server may take to let us in.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of a reply; EHLO's are the longest.
const REPLY_LIMIT: usize = 64 * 1024;
/// How often a server may ask before it believes who we are.
const CHALLENGES: usize = 10;

/// A server that has let us in.
pub(super) struct Session {
    stream: BufReader<TcpStream>,
    server: ServerInfo,
    pipelining: bool,
    chunking: bool,
}

/// Why a mail was not handed over.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("the mail server says {}", told(.0))]
    Refused(Response),
    #[error("the mail server does not let us in: {}", told(.0))]
    NotLetIn(Response),
    #[error("the mail server does not announce {0}, which this mail needs")]
    Lacks(Extension),
    #[error("the mail server announces no way to log in that we know: PLAIN, LOGIN")]
    NoLogin,
    #[error("the mail server's reply cannot be read")]
    Unreadable(#[from] Error),
    #[error("the connection to the mail server")]
    Io(#[from] io::Error),
}

fn told(reply: &Response) -> String {
    let lines: Vec<_> = reply.message().collect();
    format!("{} {}", reply.code(), lines.join(" "))
}

impl SessionError {
    /// The reply's code, if the server refused something of the mail.
    pub(super) fn code(&self) -> Option<u16> {
        if let Self::Refused(reply) = self { Some(reply.code().into()) } else { None }
    }
}

impl Session {
    pub(super) async fn open(
        server: (&str, u16),
        hello: &ClientId,
        credentials: Option<&Credentials>,
    ) -> Result<Self, SessionError> {
        match timeout(CONNECT, Self::let_in(server, hello, credentials)).await {
            // Whatever its code, it is not about a mail.
            Ok(Err(SessionError::Refused(reply))) => Err(SessionError::NotLetIn(reply)),
            Ok(opened) => opened,
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }

    async fn let_in(
        server: (&str, u16),
        hello: &ClientId,
        credentials: Option<&Credentials>,
    ) -> Result<Self, SessionError> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let (stream, server) = (BufReader::new(stream), ServerInfo::default());
        let mut session = Self { stream, server, pipelining: false, chunking: false };
        session.reply().await?;
        let greeted = session.ask(&Ehlo::new(hello.clone()).to_string()).await?;
        let announces = |keyword| greeted.message().any(|line| line.eq_ignore_ascii_case(keyword));
        session.pipelining = announces("PIPELINING");
        session.chunking = announces("CHUNKING");
        session.server = ServerInfo::from_response(&greeted)?;
        if let Some(credentials) = credentials {
            session.log_in(credentials).await?;
        }
        Ok(session)
    }

    async fn log_in(&mut self, credentials: &Credentials) -> Result<(), SessionError> {
        let mechanism = self.server.get_auth_mechanism(DEFAULT_MECHANISMS);
        let mechanism = mechanism.ok_or(SessionError::NoLogin)?;
        let mut next = Auth::new(mechanism, credentials.clone(), None)?;
        for _ in 0..CHALLENGES {
            let reply = self.ask(&next.to_string()).await?;
            if !reply.has_code(334) {
                return Ok(());
            }
            next = Auth::new_from_response(mechanism, credentials.clone(), &reply)?;
        }
        Err(SessionError::NoLogin)
    }

    /// Hands a mail over. After an error the session is of no more use: what the server still waits for
    /// is not known.
    pub(super) async fn send(&mut self, mail: &Message) -> Result<(), SessionError> {
        let text = mail.formatted();
        let mut commands = self.envelope(mail.envelope(), text.is_ascii())?;
        if self.pipelining && self.chunking {
            let mut all = commands.concat().into_bytes();
            write!(all, "BDAT {} LAST\r\n", text.len())?;
            all.extend_from_slice(&text);
            self.stream.write_all(&all).await?;
            return self.replies(commands.len() + 1).await;
        }
        commands.push(Data.to_string());
        if self.pipelining {
            self.stream.write_all(commands.concat().as_bytes()).await?;
            self.replies(commands.len()).await?;
        } else {
            for command in commands {
                self.ask(&command).await?;
            }
        }
        self.stream.write_all(&stuffed(&text)).await?;
        self.replies(1).await
    }

    /// From whom and to whom, and what the server must be able to do.
    fn envelope(&self, envelope: &Envelope, is_ascii: bool) -> Result<Vec<String>, SessionError> {
        let require = |extension| {
            let announced = self.server.supports_feature(extension);
            announced.then_some(()).ok_or(SessionError::Lacks(extension))
        };
        let mut addresses = envelope.from().into_iter().chain(envelope.to());
        let mut parameters = Vec::new();
        if addresses.any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
            require(Extension::SmtpUtfEight)?;
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !is_ascii {
            require(Extension::EightBitMime)?;
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let from = Mail::new(envelope.from().cloned(), parameters).to_string();
        let to = envelope.to().iter().map(|to| Rcpt::new(to.clone(), Vec::new()).to_string());
        Ok(std::iter::once(from).chain(to).collect())
    }

    async fn ask(&mut self, command: &str) -> Result<Response, SessionError> {
        self.stream.write_all(command.as_bytes()).await?;
        self.reply().await
    }

    async fn replies(&mut self, count: usize) -> Result<(), SessionError> {
        for _ in 0..count {
            self.reply().await?;
        }
        Ok(())
    }

    /// The next reply: the last of its lines has no hyphen after its code (RFC 5321 §4.2.1).
    async fn reply(&mut self) -> Result<Response, SessionError> {
        let mut reply = Vec::new();
        loop {
            let begin = reply.len();
            let limit = u64::try_from(REPLY_LIMIT - begin).unwrap_or(0);
            (&mut self.stream).take(limit).read_until(b'\n', &mut reply).await?;
            if reply.last() != Some(&b'\n') {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if reply.get(begin + 3) != Some(&b'-') {
                break;
            }
        }
        let reply: Response = String::from_utf8_lossy(&reply).parse()?;
        if reply.is_positive() { Ok(reply) } else { Err(SessionError::Refused(reply)) }
    }
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

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, task::JoinHandle};

    use super::*;

    /// A server that answers `script`: each reply once all that came ends as it says.
    async fn server(
        script: &[(&'static str, &'static str)],
    ) -> (u16, JoinHandle<io::Result<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, script) = (listener.local_addr().unwrap().port(), script.to_vec());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut came = Vec::new();
            for (end, reply) in script {
                while !came.ends_with(end.as_bytes()) {
                    if stream.read_buf(&mut came).await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                stream.write_all(reply.as_bytes()).await?;
            }
            Ok(String::from_utf8_lossy(&came).into_owned())
        });
        (port, serving)
    }

    fn mail(to: &str) -> Message {
        let mail = Message::builder().from("a@example.com".parse().unwrap());
        mail.to(to.parse().unwrap()).body(".Hello\r\n.\r\n".to_owned()).unwrap()
    }

    /// What the server heard, and what became of the mail.
    async fn hand_over(
        script: &[(&'static str, &'static str)],
        mail: &Message,
    ) -> (String, Result<(), SessionError>) {
        let (port, serving) = server(script).await;
        let me = ClientId::Domain("me".to_owned());
        let login = Credentials::new("ada".to_owned(), "secret".to_owned());
        let login = script.iter().any(|(_, reply)| reply.contains("AUTH")).then_some(&login);
        let result = match Session::open(("127.0.0.1", port), &me, login).await {
            Ok(mut session) => session.send(mail).await,
            Err(error) => Err(error),
        };
        (serving.await.unwrap().unwrap(), result)
    }

    const ENVELOPE: &str = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n";

    #[tokio::test]
    async fn with_chunking_all_of_it_leaves_at_once() {
        let script = [
            ("", "220 here\r\n"),
            ("EHLO me\r\n", "250-here\r\n250-Pipelining\r\n250 CHUNKING\r\n"),
            ("\r\n.Hello\r\n.\r\n", "250 fine\r\n250-still\r\n250 fine\r\n250 taken\r\n"),
        ];
        let mail = mail("b@example.com");
        let (heard, result) = hand_over(&script, &mail).await;
        result.unwrap();
        let text = String::from_utf8(mail.formatted()).unwrap();
        assert_eq!(heard, format!("EHLO me\r\n{ENVELOPE}BDAT {} LAST\r\n{text}", text.len()));
    }

    #[tokio::test]
    async fn with_pipelining_its_commands_leave_at_once() {
        let script = [
            ("", "220 here\r\n"),
            ("EHLO me\r\n", "250-here\r\n250 PIPELINING\r\n"),
            ("DATA\r\n", "250 fine\r\n250 fine\r\n354 go on\r\n"),
            ("\r\n..Hello\r\n..\r\n.\r\n", "250 taken\r\n"),
        ];
        let (heard, result) = hand_over(&script, &mail("b@example.com")).await;
        result.unwrap();
        assert!(heard.starts_with(&format!("EHLO me\r\n{ENVELOPE}DATA\r\n")), "{heard}");
    }

    #[tokio::test]
    async fn any_other_server_is_asked_step_by_step_and_logged_in_to() {
        let script = [
            ("", "220 here\r\n"),
            ("EHLO me\r\n", "250-here\r\n250-CHUNKING\r\n250 AUTH LOGIN\r\n"),
            ("AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n"),
            ("YWRh\r\n", "334 UGFzc3dvcmQ6\r\n"),
            ("c2VjcmV0\r\n", "235 welcome\r\n"),
            ("MAIL FROM:<a@example.com>\r\n", "250 fine\r\n"),
            ("RCPT TO:<b@example.com>\r\n", "250 fine\r\n"),
            ("DATA\r\n", "354 go on\r\n"),
            ("\r\n..Hello\r\n..\r\n.\r\n", "250 taken\r\n"),
        ];
        hand_over(&script, &mail("b@example.com")).await.1.unwrap();
    }

    #[tokio::test]
    async fn only_what_is_said_to_the_mail_has_a_code() {
        let script = [
            ("", "220 here\r\n"),
            ("EHLO me\r\n", "250-here\r\n250-PIPELINING\r\n250 CHUNKING\r\n"),
            (".\r\n", "250 fine\r\n550 no such mailbox\r\n503 no recipient\r\n"),
        ];
        let error = hand_over(&script, &mail("b@example.com")).await.1.unwrap_err();
        assert_eq!(error.code(), Some(550));
        assert_eq!(error.to_string(), "the mail server says 550 no such mailbox");

        // 554 is also what a server says that takes no mail at all (RFC 5321 §3.1).
        for said in ["421 closed\r\n", "554 no mail\r\n", "what?\r\n", "250"] {
            let error = hand_over(&[("", said)], &mail("b@example.com")).await.1;
            assert_eq!(error.unwrap_err().code(), None, "{said}");
        }
    }

    #[tokio::test]
    async fn what_the_server_cannot_take_is_not_sent() {
        let beyond = mail("jörg@example.com");
        let short = [("", "220 here\r\n"), ("EHLO me\r\n", "250-here\r\n250 PIPELINING\r\n")];
        let (heard, result) = hand_over(&short, &beyond).await;
        assert!(matches!(result, Err(SessionError::Lacks(Extension::SmtpUtfEight))), "{result:?}");
        assert_eq!(heard, "EHLO me\r\n");
        let able = [
            ("", "220 here\r\n"),
            (
                "EHLO me\r\n",
                "250-here\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
            ),
            ("\r\n.Hello\r\n.\r\n", "250 fine\r\n250 fine\r\n250 taken\r\n"),
        ];
        let (heard, result) = hand_over(&able, &beyond).await;
        result.unwrap();
        assert!(heard.contains("MAIL FROM:<a@example.com> SMTPUTF8"), "{heard}");
        assert!(heard.contains("\r\nRCPT TO:<jörg@example.com>\r\n"), "{heard}");
    }
}
