use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lettre::{
    Message,
    transport::smtp::{authentication::Credentials, extension::ClientId},
};
use tokio::time::Instant;

use super::session::{Session, SessionError};

/// How long a connection may wait for its next mail. A server waits five minutes (RFC 5321
/// §4.5.3.2.7).
const IDLE: Duration = Duration::from_mins(1);

/// Connections to a mail server, one for each mail under way, kept for the next.
pub(super) struct Connections {
    server: (String, u16),
    hello: ClientId,
    credentials: Option<Credentials>,
    idle: Mutex<Vec<(Session, Instant)>>,
}

impl Connections {
    pub(super) fn to(host: &str, port: u16, credentials: Option<Credentials>) -> Self {
        let server = (host.to_owned(), port);
        Self { server, hello: ClientId::default(), credentials, idle: Mutex::default() }
    }

    /// Hands the mail over. Where a kept connection turns out to be dead, so are the others: it is
    /// tried again on a new one.
    pub(super) async fn send(&self, mail: &Message) -> Result<(), SessionError> {
        if let Some(kept) = self.kept() {
            match self.send_on(kept, mail).await {
                Err(error) if error.code().is_none() => self.idle().clear(),
                said => return said,
            }
        }
        let (host, port) = &self.server;
        let to = (host.as_str(), *port);
        let opened = Session::open(to, &self.hello, self.credentials.as_ref()).await?;
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
        // One comes or goes as a whole, whoever panicked.
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

    /// Takes one mail on each connection, then hangs up without a word.
    async fn one_mail_each(listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move { one_mail(stream).await });
        }
    }

    async fn one_mail(stream: TcpStream) -> std::io::Result<()> {
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
                "." => return stream.write_all(b"250 taken\r\n").await,
                _ if in_mail => b"",
                _ => b"250 fine\r\n",
            };
            stream.write_all(answer).await?;
        }
    }

    #[tokio::test]
    async fn a_kept_connection_that_is_dead_costs_no_mail() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(one_mail_each(listener));
        let server = Connections::to("127.0.0.1", port, None);
        let mail = Message::builder().from("a@example.com".parse().unwrap());
        let mail = mail.to("b@example.com".parse().unwrap()).body("Hello".to_owned()).unwrap();
        for _ in 0..3 {
            server.send(&mail).await.unwrap();
            assert_eq!(server.idle().len(), 1, "it is kept");
        }
        serving.abort();
        assert!(serving.await.is_err());
        assert_eq!(server.send(&mail).await.unwrap_err().code(), None);
        assert_eq!(server.idle().len(), 0);
    }
}
