use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lettre::{
    Message,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::AsyncSmtpConnection,
        extension::ClientId,
    },
};
use tokio::time::Instant;

/// How long a connection may wait for its next mail. A server waits five minutes (RFC 5321
/// §4.5.3.2.7).
const IDLE: Duration = Duration::from_mins(1);
/// How long a server may take to let us in.
const CONNECT: Duration = Duration::from_secs(5);

/// Connections to a mail server, one for each mail under way, kept for the next. lettre's own pool
/// asks each of them before each mail whether it is still there.
pub(super) struct Connections {
    server: (String, u16),
    hello: ClientId,
    credentials: Option<Credentials>,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Connections {
    pub(super) fn to(host: &str, port: u16, credentials: Option<Credentials>) -> Self {
        let server = (host.to_owned(), port);
        Self { server, hello: ClientId::default(), credentials, idle: Mutex::default() }
    }

    /// Hands the mail over. Where a kept connection turns out to be dead, so are the others: it is
    /// tried again on a new one.
    pub(super) async fn send(&self, mail: &Message) -> Result<(), Error> {
        if let Some(kept) = self.kept() {
            match self.send_on(kept, mail).await {
                Err(error) if error.status().is_none() => self.idle().clear(),
                said => return said,
            }
        }
        self.send_on(self.connect().await?, mail).await
    }

    async fn send_on(&self, mut on: AsyncSmtpConnection, mail: &Message) -> Result<(), Error> {
        let said = on.send(mail.envelope(), &mail.formatted()).await;
        if !on.has_broken() {
            self.idle().push((on, Instant::now()));
        }
        said.map(drop)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let (host, port) = &self.server;
        let to = (host.as_str(), *port);
        let connected =
            AsyncSmtpConnection::connect_tokio1(to, Some(CONNECT), &self.hello, None, None);
        let mut connection = connected.await?;
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    /// The connection that was used last, unless it has waited for too long.
    fn kept(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle();
        let oldest = Instant::now().checked_sub(IDLE);
        idle.retain(|(_, since)| oldest.is_none_or(|oldest| *since > oldest));
        idle.pop().map(|(connection, _)| connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(AsyncSmtpConnection, Instant)>> {
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
        assert_eq!(server.send(&mail).await.unwrap_err().status(), None);
        assert_eq!(server.idle().len(), 0);
    }
}
