use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lettre::{Message, transport::smtp::extension::ClientId};
use tokio::time::Instant;

use super::{
    error::{MailError, SessionError},
    server::Server,
    session::Session,
};

/// How long an idle connection is reused. A server waits five minutes for the next mail (RFC 5321 §4.5.3.2.7).
const IDLE: Duration = Duration::from_mins(1);

/// A pool of connections to a mail server. Each mail in progress has one, which is then kept idle for the next mail.
pub(super) struct Connections {
    server: Server,
    hello: ClientId,
    idle: Mutex<Vec<(Session, Instant)>>,
}

impl Connections {
    pub(super) fn to(server: Server) -> Self {
        Self { server, hello: ClientId::default(), idle: Mutex::default() }
    }

    /// Sends the mail.
    pub(super) async fn send(&self, mail: &Message) -> Result<(), MailError> {
        let with_server = |why| MailError { server: self.server.name.clone(), why };
        self.send_on_any(mail).await.map_err(with_server)
    }

    /// Sends the mail on an idle connection, or on a new one. If an idle connection is lost, the server has
    /// probably closed them all: they are dropped, and the mail goes over a new one.
    async fn send_on_any(&self, mail: &Message) -> Result<(), SessionError> {
        if let Some(session) = self.last_used() {
            match self.send_on(session, mail).await {
                Err(error) if error.is_lost() => self.idle().clear(),
                result => return result,
            }
        }
        let opened = Session::open(&self.server, &self.hello).await?;
        self.send_on(opened, mail).await
    }

    async fn send_on(&self, mut session: Session, mail: &Message) -> Result<(), SessionError> {
        session.send(mail).await?;
        self.idle().push((session, Instant::now()));
        Ok(())
    }

    /// The idle connection that was used last, unless it has been idle for too long.
    fn last_used(&self) -> Option<Session> {
        let mut idle = self.idle();
        let oldest = Instant::now().checked_sub(IDLE);
        idle.retain(|(_, since)| oldest.is_none_or(|oldest| *since > oldest));
        idle.pop().map(|(session, _)| session)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Session, Instant)>> {
        // The lock is only held for single operations of the vector, so a panic cannot leave it inconsistent.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::{SmtpConfig, StartTls};

    /// A server that takes one mail on each connection, sends this goodbye, which may be empty, and hangs up.
    async fn one_mail_each(listener: TcpListener, goodbye: &'static str) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move { one_mail(stream, goodbye).await });
        }
    }

    async fn one_mail(stream: TcpStream, goodbye: &str) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 here\r\n").await?;
        let (mut line, mut in_mail) = (String::new(), false);
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let answer: &[u8] = match line.trim_end() {
                "DATA" => {
                    in_mail = true;
                    b"354 go on\r\n"
                }
                "." => break,
                _ if in_mail => b"",
                _ => b"250 fine\r\n",
            };
            stream.write_all(answer).await?;
        }
        stream.write_all(b"250 taken\r\n").await?;
        stream.write_all(goodbye.as_bytes()).await
    }

    #[tokio::test]
    async fn a_mail_is_not_lost_when_an_idle_connection_is_dead() {
        for goodbye in ["", "421 4.4.2 idle for too long\r\n"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("smtp://{}", listener.local_addr().unwrap());
            let serving = tokio::spawn(one_mail_each(listener, goodbye));
            let config = SmtpConfig {
                url: url.clone(),
                starttls: StartTls::Off,
                certificates: String::new(),
                user: String::new(),
                password: String::new(),
                from: "a@example.com".to_owned(),
            };
            let server = Connections::to(Server::of(&config).unwrap());
            let mail = Message::builder().from("a@example.com".parse().unwrap());
            let mail = mail.to("b@example.com".parse().unwrap()).body("Hello".to_owned()).unwrap();
            for _ in 0..3 {
                server.send(&mail).await.unwrap();
                assert_eq!(server.idle().len(), 1, "the connection is kept");
            }
            serving.abort();
            assert!(serving.await.is_err());
            let error = server.send(&mail).await.unwrap_err();
            assert_eq!(error.to_string(), format!("cannot connect to {url}: connection refused"));
            assert!(!error.why.refuses_the_mail());
            assert_eq!(server.idle().len(), 0);
        }
    }
}
