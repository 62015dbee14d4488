//! A mail server that speaks TLS with a certificate of its own.

use std::{io, sync::Arc};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::NamedTempFile;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::{
    super::error::MailError,
    SessionError,
    tests::{Script, config, mail, play, send},
};
use crate::{SmtpConfig, StartTls};

/// A server's certificate in a file, and the TLS acceptor that uses it.
struct Identity {
    file: NamedTempFile,
    acceptor: TlsAcceptor,
}

fn identity() -> Identity {
    let names = vec!["127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    Identity { file, acceptor: Arc::new(server).into() }
}

impl Identity {
    /// Plays one script without encryption, then another over TLS. Returns the port, and a task that returns what
    /// was received for each.
    async fn serve(
        &self,
        clear: &Script,
        secret: &Script,
    ) -> (u16, JoinHandle<io::Result<[String; 2]>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (acceptor, clear, secret) = (self.acceptor.clone(), clear.to_vec(), secret.to_vec());
        let serving = tokio::spawn(async move {
            let mut stream: TcpStream = listener.accept().await?.0;
            let in_clear = play(&mut stream, &clear).await?;
            let mut stream = acceptor.accept(stream).await?;
            Ok([in_clear, play(&mut stream, &secret).await?])
        });
        (port, serving)
    }

    /// The settings for a login at this server.
    fn login(&self, url: String) -> SmtpConfig {
        let (user, password) = ("ada".to_owned(), "secret".to_owned());
        let certificates = self.file.path().to_str().unwrap().to_owned();
        SmtpConfig { certificates, user, password, ..config(url) }
    }

    fn starttls(&self, port: u16) -> SmtpConfig {
        let url = format!("smtp://127.0.0.1:{port}");
        SmtpConfig { starttls: StartTls::Required, ..self.login(url) }
    }
}

const CLEAR: [(&str, &str); 3] = [
    ("", "220 here\r\n"),
    ("EHLO me\r\n", "250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"),
    ("STARTTLS\r\n", "220 go on\r\n"),
];
const DIALOGUE: [(&str, &str); 8] = [
    ("EHLO me\r\n", "250-here\r\n250 AUTH LOGIN\r\n"),
    ("AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n"),
    ("YWRh\r\n", "334 UGFzc3dvcmQ6\r\n"),
    ("c2VjcmV0\r\n", "235 welcome\r\n"),
    ("MAIL FROM:<a@example.com>\r\n", "250 fine\r\n"),
    ("RCPT TO:<b@example.com>\r\n", "250 fine\r\n"),
    ("DATA\r\n", "354 go on\r\n"),
    ("\r\n.\r\n", "250 taken\r\n"),
];

async fn sent(config: &SmtpConfig) -> Result<(), MailError> {
    let with_server = |why| MailError { server: config.url.clone(), why };
    send(config, &mail("a@example.com", "b@example.com")).await.map_err(with_server)
}

#[tokio::test]
async fn after_starttls_the_dialogue_begins_again_and_nothing_is_sent_unencrypted() {
    let identity = identity();
    let (port, serving) = identity.serve(&CLEAR, &DIALOGUE).await;
    sent(&identity.starttls(port)).await.unwrap();
    let [clear, secret] = serving.await.unwrap().unwrap();
    assert_eq!(clear, "EHLO me\r\nSTARTTLS\r\n");
    assert!(secret.starts_with("EHLO me\r\nAUTH LOGIN\r\n"), "{secret}");
}

#[tokio::test]
async fn smtps_begins_with_tls() {
    let identity = identity();
    let script: Vec<_> = [("", "220 here\r\n")].into_iter().chain(DIALOGUE).collect();
    let (port, serving) = identity.serve(&[], &script).await;
    sent(&identity.login(format!("smtps://127.0.0.1:{port}"))).await.unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_encrypt_gets_neither_password_nor_mail() {
    let identity = identity();
    for (extensions, expected) in [
        ("250-here\r\n250 AUTH PLAIN\r\n", "does not announce STARTTLS"),
        ("250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", "answers STARTTLS with 454 not now"),
    ] {
        let script = [
            ("", "220 here\r\n"),
            ("EHLO me\r\n", extensions),
            ("STARTTLS\r\n", "454 not now\r\n"),
        ];
        let (port, serving) = identity.serve(&script, &[]).await;
        let error = sent(&identity.starttls(port)).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.why.refuses_the_mail());
        // The server receives nothing more: the script does not continue, and TLS does not begin.
        assert!(serving.await.unwrap().is_err());
    }
}

#[tokio::test]
async fn unencrypted_data_after_the_reply_to_starttls_is_an_error() {
    let identity = identity();
    let mut script = CLEAR;
    script[2].1 = "220 go on\r\n250-here\r\n250 AUTH PLAIN\r\n";
    let (port, _serving) = identity.serve(&script, &[]).await;
    let error = sent(&identity.starttls(port)).await.unwrap_err();
    assert!(matches!(error.why, SessionError::Injected), "{error}");
}

#[tokio::test]
async fn an_untrusted_certificate_ends_the_session() {
    let (identity, other) = (identity(), identity());
    let (port, serving) = identity.serve(&CLEAR, &DIALOGUE).await;
    let error = sent(&other.starttls(port)).await.unwrap_err();
    let expected =
        format!("cannot speak TLS with smtp://127.0.0.1:{port}: invalid peer certificate");
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(!error.why.refuses_the_mail());
    assert!(serving.await.unwrap().is_err());
}
