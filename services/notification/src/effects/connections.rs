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

/// How long a connection may wait for its next mail. A server waits five minutes (RFC 5321
/// §4.5.3.2.7).
const IDLE: Duration = Duration::from_mins(1);

/// Connections to a mail server, one for each mail under way, kept for the next.
pub(super) struct Connections {
    server: Server,
    hello: ClientId,
    idle: Mutex<Vec<(Session, Instant)>>,
}

impl Connections {
    pub(super) fn to(server: Server) -> Self {
        Self { server, hello: ClientId::default(), idle: Mutex::default() }
    }

    /// Hands the mail over.
    pub(super) async fn send(&self, mail: &Message) -> Result<(), MailError> {
        let named = |why| MailError { server: self.server.name.clone(), why };
        self.hand_over(mail).await.map_err(named)
    }

    /// Where a kept connection turns out to be dead, so are the others: the mail is tried again on a
    /// new one.
    async fn hand_over(&self, mail: &Message) -> Result<(), SessionError> {
        if let Some(kept) = self.kept() {
            match self.send_on(kept, mail).await {
                Err(error) if error.is_lost() => self.idle().clear(),
                said => return said,
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

    /// The connection that was used last, unless it has waited for too long.
    fn kept(&self) -> Option<Session> {
        let mut idle = self.idle();
        let oldest = Instant::now().checked_sub(IDLE);
        idle.retain(|(_, since)| oldest.is_none_or(|oldest| *since > oldest));
        idle.pop().map(|(session, _)| session)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Session, Instant)>> {
        // A panic elsewhere leaves no session half inserted.
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

    /// Takes one mail on each connection, then hangs up, with this word or without one.
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
    async fn a_kept_connection_that_is_dead_costs_no_mail() {
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
                assert_eq!(server.idle().len(), 1, "it is kept");
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
