//! A mail server that plays a script.

use std::io;

use lettre::{
    Message,
    transport::smtp::extension::{ClientId, Extension},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use super::{super::server::Server, REPLY_LIMIT, Session, SessionError, Step};
use crate::{SmtpConfig, StartTls};

/// Pairs of a text and a reply. The server sends the reply once everything that it received ends with the text.
pub(super) type Script = [(&'static str, &'static str)];

/// Plays a script and returns everything that was received.
pub(super) async fn play(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    script: &Script,
) -> io::Result<String> {
    let mut received = Vec::new();
    for (end, reply) in script {
        while !received.ends_with(end.as_bytes()) {
            if stream.read_buf(&mut received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        stream.write_all(reply.as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(String::from_utf8_lossy(&received).into_owned())
}

async fn server(script: &Script) -> (String, JoinHandle<io::Result<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, script) = (format!("smtp://{}", listener.local_addr().unwrap()), script.to_vec());
    let serving = tokio::spawn(async move { play(&mut listener.accept().await?.0, &script).await });
    (url, serving)
}

/// Settings without encryption and login.
pub(super) fn config(url: String) -> SmtpConfig {
    let (certificates, user, password) = (String::new(), String::new(), String::new());
    let from = "a@example.com".to_owned();
    SmtpConfig { url, starttls: StartTls::Off, certificates, user, password, from }
}

pub(super) fn mail(from: &str, to: &str) -> Message {
    let mail = Message::builder().from(from.parse().unwrap());
    mail.to(to.parse().unwrap()).body(".Hello\r\n.\r\n".to_owned()).unwrap()
}

/// Sends a mail on a new connection.
pub(super) async fn send(config: &SmtpConfig, mail: &Message) -> Result<(), SessionError> {
    let me = ClientId::Domain("me".to_owned());
    Session::open(&Server::of(config).unwrap(), &me).await?.send(mail).await
}

/// Sends a mail to a server with this script. Returns what the server received, and the result.
async fn send_to(script: &Script, mail: &Message) -> (String, Result<(), SessionError>) {
    let (url, serving) = server(script).await;
    let result = send(&config(url), mail).await;
    (serving.await.unwrap().unwrap(), result)
}

fn to(recipient: &str) -> Message {
    mail("a@example.com", recipient)
}

const ENVELOPE: &str = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n";

#[tokio::test]
async fn with_chunking_the_whole_mail_is_sent_at_once() {
    let script = [
        ("", "220 here\r\n"),
        ("EHLO me\r\n", "250-here\r\n250-Pipelining\r\n250 CHUNKING\r\n"),
        ("\r\n.Hello\r\n.\r\n", "250 fine\r\n250-still\r\n250 fine\r\n250 taken\r\n"),
    ];
    let mail = to("b@example.com");
    let (received, result) = send_to(&script, &mail).await;
    result.unwrap();
    let text = String::from_utf8(mail.formatted()).unwrap();
    assert_eq!(received, format!("EHLO me\r\n{ENVELOPE}BDAT {} LAST\r\n{text}", text.len()));
}

#[tokio::test]
async fn with_pipelining_the_commands_are_sent_at_once() {
    let script = [
        ("", "220 here\r\n"),
        ("EHLO me\r\n", "250-here\r\n250 PIPELINING\r\n"),
        ("DATA\r\n", "250 fine\r\n250 fine\r\n354 go on\r\n"),
        ("\r\n..Hello\r\n..\r\n.\r\n", "250 taken\r\n"),
    ];
    let (received, result) = send_to(&script, &to("b@example.com")).await;
    result.unwrap();
    assert!(received.starts_with(&format!("EHLO me\r\n{ENVELOPE}DATA\r\n")), "{received}");
}

#[tokio::test]
async fn without_extensions_each_command_waits_for_its_reply() {
    let script = [
        ("", "220 here\r\n"),
        ("EHLO me\r\n", "250-here\r\n250 CHUNKING\r\n"),
        ("MAIL FROM:<a@example.com>\r\n", "250 fine\r\n"),
        ("RCPT TO:<b@example.com>\r\n", "250 fine\r\n"),
        ("DATA\r\n", "354 go on\r\n"),
        ("\r\n..Hello\r\n..\r\n.\r\n", "250 taken\r\n"),
    ];
    send_to(&script, &to("b@example.com")).await.1.unwrap();
}

#[tokio::test]
async fn a_refusal_names_the_refused_command() {
    const ABLE: &str = "250-here\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
    for (replies, step) in [
        ("553 not you\r\n503 no sender\r\n503 no recipient\r\n", Step::Mail),
        ("250 fine\r\n550 no such mailbox\r\n503 no recipient\r\n", Step::Rcpt),
        ("250 fine\r\n250 fine\r\n554 spam\r\n", Step::Text),
    ] {
        let script = [("", "220 here\r\n"), ("EHLO me\r\n", ABLE), (".\r\n", replies)];
        let error = send_to(&script, &to("b@example.com")).await.1.unwrap_err();
        assert!(error.refuses_the_mail(), "{error:?}");
        let is_at =
            |expected| matches!(error, SessionError::Refused { step, .. } if step == expected);
        assert!(is_at(step), "{error:?}");
    }
    let script = [
        ("", "220 here\r\n"),
        ("EHLO me\r\n", "250 here\r\n"),
        ("MAIL FROM:<a@example.com>\r\n", "250 fine\r\n"),
        ("RCPT TO:<b@example.com>\r\n", "250 fine\r\n"),
        ("DATA\r\n", "354 go on\r\n"),
        (".\r\n", "552 5.3.4 too large\r\n"),
    ];
    let error = send_to(&script, &to("b@example.com")).await.1.unwrap_err();
    assert!(matches!(error, SessionError::Refused { step: Step::Text, .. }), "{error:?}");
    assert!(error.refuses_the_mail());
}

#[tokio::test]
async fn a_reply_that_does_not_fit_its_command_is_no_definite_refusal() {
    const ABLE: &str = "250-here\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
    const PLAIN: &str = "250-here\r\n250 PIPELINING\r\n";
    for (able, end, replies, step) in [
        (ABLE, ".\r\n", "354 go on\r\n250 fine\r\n250 taken\r\n", Step::Mail),
        (ABLE, ".\r\n", "250 fine\r\n354 go on\r\n250 taken\r\n", Step::Rcpt),
        (ABLE, ".\r\n", "250 fine\r\n250 fine\r\n354 go on\r\n", Step::Text),
        (PLAIN, "DATA\r\n", "250 fine\r\n250 fine\r\n250 taken\r\n", Step::Data),
    ] {
        let script = [("", "220 here\r\n"), ("EHLO me\r\n", able), (end, replies)];
        let error = send_to(&script, &to("b@example.com")).await.1.unwrap_err();
        let is_at =
            |expected| matches!(error, SessionError::Refused { step, .. } if step == expected);
        assert!(is_at(step) && !error.refuses_the_mail(), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_the_connection_does_not_refuse_the_mail() {
    // A server that takes no mail at all greets with 554 (RFC 5321 §3.1).
    let endless = "220-more\r\n".repeat(REPLY_LIMIT / 10 + 1).leak();
    for (greeting, expected) in [
        ("421 closed\r\n", "answers the connection with 421 closed"),
        ("554 no mail\r\n", "answers the connection with 554 no mail"),
        ("what?\r\n", "answers the connection with no SMTP reply"),
        ("250", "broke at the connection: unexpected end of file"),
        ("220-here\r\n", "broke at the connection: unexpected end of file"),
        (endless, "does not end its answer to the connection"),
    ] {
        let (url, serving) = server(&[("", greeting)]).await;
        let why = send(&config(url.clone()), &to("b@example.com")).await.unwrap_err();
        assert!(!why.refuses_the_mail(), "{why:?}");
        let error = super::super::error::MailError { server: url.clone(), why }.to_string();
        assert!(error.contains(&url) && error.ends_with(expected), "{error}");
        drop(serving);
    }
}

#[tokio::test]
async fn a_mail_that_needs_a_missing_extension_is_not_sent() {
    let short = [("", "220 here\r\n"), ("EHLO me\r\n", "250-here\r\n250 PIPELINING\r\n")];
    let (received, result) = send_to(&short, &to("jörg@example.com")).await;
    let error = result.unwrap_err();
    let needed = matches!(error, SessionError::RecipientNeeds(Extension::SmtpUtfEight));
    assert!(needed && error.refuses_the_mail(), "{error:?}");
    assert_eq!(received, "EHLO me\r\n");
    // The sender's address is not the recipient's fault, so the mail is not refused for good.
    let (_, result) = send_to(&short, &mail("jörg@example.com", "b@example.com")).await;
    let error = result.unwrap_err();
    let needed = matches!(error, SessionError::SenderNeeds(Extension::SmtpUtfEight));
    assert!(needed && !error.refuses_the_mail(), "{error:?}");
}

#[tokio::test]
async fn an_address_beyond_ascii_is_sent_to_a_server_with_smtputf8() {
    let able = [
        ("", "220 here\r\n"),
        (
            "EHLO me\r\n",
            "250-here\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
        ),
        ("\r\n.Hello\r\n.\r\n", "250 fine\r\n250 fine\r\n250 taken\r\n"),
    ];
    let (received, result) = send_to(&able, &to("jörg@example.com")).await;
    result.unwrap();
    assert!(received.contains("MAIL FROM:<a@example.com> SMTPUTF8"), "{received}");
    assert!(received.contains("\r\nRCPT TO:<jörg@example.com>\r\n"), "{received}");
}
