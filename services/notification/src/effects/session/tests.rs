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

use super::{super::server::Server, REPLY_LIMIT, Session, SessionError, Stage};
use crate::{SmtpConfig, StartTls};

/// Each reply is said once all that came ends as it says.
pub(super) type Script = [(&'static str, &'static str)];

/// Plays a script; answers what came.
pub(super) async fn play(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    script: &Script,
) -> io::Result<String> {
    let mut came = Vec::new();
    for (end, reply) in script {
        while !came.ends_with(end.as_bytes()) {
            if stream.read_buf(&mut came).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        stream.write_all(reply.as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(String::from_utf8_lossy(&came).into_owned())
}

async fn server(script: &Script) -> (String, JoinHandle<io::Result<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, script) = (format!("smtp://{}", listener.local_addr().unwrap()), script.to_vec());
    let serving = tokio::spawn(async move { play(&mut listener.accept().await?.0, &script).await });
    (url, serving)
}

/// The settings of a server that is asked for nothing but to take mail.
pub(super) fn config(url: String) -> SmtpConfig {
    let (certificates, user, password) = (String::new(), String::new(), String::new());
    let from = "a@example.com".to_owned();
    SmtpConfig { url, starttls: StartTls::Off, certificates, user, password, from }
}

pub(super) fn mail(from: &str, to: &str) -> Message {
    let mail = Message::builder().from(from.parse().unwrap());
    mail.to(to.parse().unwrap()).body(".Hello\r\n.\r\n".to_owned()).unwrap()
}

/// What becomes of a mail.
pub(super) async fn send(config: &SmtpConfig, mail: &Message) -> Result<(), SessionError> {
    let me = ClientId::Domain("me".to_owned());
    Session::open(&Server::of(config).unwrap(), &me).await?.send(mail).await
}

/// What the server heard, and what became of the mail.
async fn hand_over(script: &Script, mail: &Message) -> (String, Result<(), SessionError>) {
    let (url, serving) = server(script).await;
    let result = send(&config(url), mail).await;
    (serving.await.unwrap().unwrap(), result)
}

fn to(recipient: &str) -> Message {
    mail("a@example.com", recipient)
}

const ENVELOPE: &str = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n";

#[tokio::test]
async fn with_chunking_all_of_it_leaves_at_once() {
    let script = [
        ("", "220 here\r\n"),
        ("EHLO me\r\n", "250-here\r\n250-Pipelining\r\n250 CHUNKING\r\n"),
        ("\r\n.Hello\r\n.\r\n", "250 fine\r\n250-still\r\n250 fine\r\n250 taken\r\n"),
    ];
    let mail = to("b@example.com");
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
    let (heard, result) = hand_over(&script, &to("b@example.com")).await;
    result.unwrap();
    assert!(heard.starts_with(&format!("EHLO me\r\n{ENVELOPE}DATA\r\n")), "{heard}");
}

#[tokio::test]
async fn any_other_server_is_asked_step_by_step() {
    let script = [
        ("", "220 here\r\n"),
        ("EHLO me\r\n", "250-here\r\n250 CHUNKING\r\n"),
        ("MAIL FROM:<a@example.com>\r\n", "250 fine\r\n"),
        ("RCPT TO:<b@example.com>\r\n", "250 fine\r\n"),
        ("DATA\r\n", "354 go on\r\n"),
        ("\r\n..Hello\r\n..\r\n.\r\n", "250 taken\r\n"),
    ];
    hand_over(&script, &to("b@example.com")).await.1.unwrap();
}

#[tokio::test]
async fn a_refusal_names_what_was_refused() {
    const ABLE: &str = "250-here\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
    for (replies, stage) in [
        ("553 not you\r\n503 no sender\r\n503 no recipient\r\n", Stage::Mail),
        ("250 fine\r\n550 no such mailbox\r\n503 no recipient\r\n", Stage::Rcpt),
        ("250 fine\r\n250 fine\r\n554 spam\r\n", Stage::Text),
    ] {
        let script = [("", "220 here\r\n"), ("EHLO me\r\n", ABLE), (".\r\n", replies)];
        let error = hand_over(&script, &to("b@example.com")).await.1.unwrap_err();
        assert!(error.refuses_the_mail(), "{error:?}");
        let at = |found| matches!(error, SessionError::Refused { stage, .. } if stage == found);
        assert!(at(stage), "{error:?}");
    }
    let script = [
        ("", "220 here\r\n"),
        ("EHLO me\r\n", "250 here\r\n"),
        ("MAIL FROM:<a@example.com>\r\n", "250 fine\r\n"),
        ("RCPT TO:<b@example.com>\r\n", "250 fine\r\n"),
        ("DATA\r\n", "354 go on\r\n"),
        (".\r\n", "552 5.3.4 too large\r\n"),
    ];
    let error = hand_over(&script, &to("b@example.com")).await.1.unwrap_err();
    assert!(matches!(error, SessionError::Refused { stage: Stage::Text, .. }), "{error:?}");
    assert!(error.refuses_the_mail());
}

#[tokio::test]
async fn a_reply_that_does_not_belong_to_its_command_decides_nothing() {
    const ABLE: &str = "250-here\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
    const PLAIN: &str = "250-here\r\n250 PIPELINING\r\n";
    for (able, end, replies, stage) in [
        (ABLE, ".\r\n", "354 go on\r\n250 fine\r\n250 taken\r\n", Stage::Mail),
        (ABLE, ".\r\n", "250 fine\r\n354 go on\r\n250 taken\r\n", Stage::Rcpt),
        (ABLE, ".\r\n", "250 fine\r\n250 fine\r\n354 go on\r\n", Stage::Text),
        (PLAIN, "DATA\r\n", "250 fine\r\n250 fine\r\n250 taken\r\n", Stage::Data),
    ] {
        let script = [("", "220 here\r\n"), ("EHLO me\r\n", able), (end, replies)];
        let error = hand_over(&script, &to("b@example.com")).await.1.unwrap_err();
        let at = |found| matches!(error, SessionError::Refused { stage, .. } if stage == found);
        assert!(at(stage) && !error.refuses_the_mail(), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_let_us_in_refuses_no_mail() {
    // 554 is also what a server says that takes no mail at all (RFC 5321 §3.1).
    let endless = "220-more\r\n".repeat(REPLY_LIMIT / 10 + 1).leak();
    for (said, told) in [
        ("421 closed\r\n", "answers the connection with 421 closed"),
        ("554 no mail\r\n", "answers the connection with 554 no mail"),
        ("what?\r\n", "answers the connection with no SMTP reply"),
        ("250", "broke at the connection: unexpected end of file"),
        ("220-here\r\n", "broke at the connection: unexpected end of file"),
        (endless, "does not end its answer to the connection"),
    ] {
        let (url, serving) = server(&[("", said)]).await;
        let why = send(&config(url.clone()), &to("b@example.com")).await.unwrap_err();
        assert!(!why.refuses_the_mail(), "{why:?}");
        let error = super::super::error::MailError { server: url.clone(), why }.to_string();
        assert!(error.contains(&url) && error.ends_with(told), "{error}");
        drop(serving);
    }
}

#[tokio::test]
async fn what_the_server_cannot_take_is_not_sent() {
    let short = [("", "220 here\r\n"), ("EHLO me\r\n", "250-here\r\n250 PIPELINING\r\n")];
    let (heard, result) = hand_over(&short, &to("jörg@example.com")).await;
    let error = result.unwrap_err();
    let needed = matches!(error, SessionError::RecipientNeeds(Extension::SmtpUtfEight));
    assert!(needed && error.refuses_the_mail(), "{error:?}");
    assert_eq!(heard, "EHLO me\r\n");
    // Our own address is no fault of the recipient's.
    let (_, result) = hand_over(&short, &mail("jörg@example.com", "b@example.com")).await;
    let error = result.unwrap_err();
    let needed = matches!(error, SessionError::SenderNeeds(Extension::SmtpUtfEight));
    assert!(needed && !error.refuses_the_mail(), "{error:?}");
}

#[tokio::test]
async fn a_server_that_can_take_it_gets_an_address_beyond_ascii() {
    let able = [
        ("", "220 here\r\n"),
        (
            "EHLO me\r\n",
            "250-here\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
        ),
        ("\r\n.Hello\r\n.\r\n", "250 fine\r\n250 fine\r\n250 taken\r\n"),
    ];
    let (heard, result) = hand_over(&able, &to("jörg@example.com")).await;
    result.unwrap();
    assert!(heard.contains("MAIL FROM:<a@example.com> SMTPUTF8"), "{heard}");
    assert!(heard.contains("\r\nRCPT TO:<jörg@example.com>\r\n"), "{heard}");
}
