//! The mail sink, by a real client and byte by byte.

use std::time::Duration;

use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Harness, ORDER};

/// A request that hangs is let go of after 30 seconds.
const LESS_THAN_IT_HANGS: Duration = Duration::from_secs(20);

type Transport = AsyncSmtpTransport<Tokio1Executor>;

#[derive(Clone)]
struct OrderHeader(String);

impl lettre::message::header::Header for OrderHeader {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("X-Quintet-Order")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), self.0.clone())
    }
}

fn transport(it: &Harness) -> Transport {
    let address = it.sandbox.smtp();
    Transport::builder_dangerous(address.ip().to_string()).port(address.port()).build()
}

fn message(id: &str, to: &str) -> Message {
    Message::builder()
        .from("Quintet <shop@quintet.example>".parse().unwrap())
        .to(to.parse().unwrap())
        .subject("Ihre Bestellung für Köln")
        .message_id(Some(format!("<{id}>")))
        .header(OrderHeader(ORDER.to_owned()))
        .body("Guten Tag\r\n.\r\n..und danke\r\n".to_owned())
        .unwrap()
}

fn mail(id: &str, copies: i64) -> Value {
    json!({
        "order_id": ORDER, "message_id": id, "to": "ada@example.com",
        "subject": "Ihre Bestellung für Köln", "copies": copies,
    })
}

#[tokio::test]
async fn a_mail_is_kept_by_its_message_id() {
    let it = Harness::start().await;
    let transport = transport(&it);
    for id in ["a@quintet", "b@quintet", "a@quintet"] {
        let sent = transport.send(message(id, "Ada <ada@example.com>")).await;
        assert!(sent.unwrap().is_positive());
    }
    let it = it.restart().await;
    let expected = json!([mail("a@quintet", 2), mail("b@quintet", 1)]);
    assert_eq!(it.ledger().await["mails"], expected);
    let (_, one) = it.get(&format!("/ledger?order_id={ORDER}")).await;
    assert_eq!(one["mails"], expected);
}

#[tokio::test]
async fn a_bounce_is_definite() {
    let it = Harness::start().await;
    let error = transport(&it).send(message("a@quintet", "x@bounce.example")).await;
    let error = error.unwrap_err();
    assert!(error.is_permanent(), "{error}");
    assert_eq!(error.status().unwrap().to_string(), "550");
    assert_eq!(it.ledger().await["mails"], json!([]));
}

#[tokio::test]
async fn errors_are_temporary_and_keep_nothing() {
    let it = Harness::start().await;
    it.faults(json!({ "mail": { "error_rate": 1 } })).await;
    let error = transport(&it).send(message("a@quintet", "ada@example.com")).await;
    let error = error.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(error.status().unwrap().to_string(), "451");
    assert_eq!(it.ledger().await["mails"], json!([]));
}

#[tokio::test]
async fn an_outage_reaches_open_connections_too() {
    let it = Harness::start().await;
    let transport = transport(&it);
    transport.send(message("a@quintet", "ada@example.com")).await.unwrap();
    it.faults(json!({ "mail": { "outage": true } })).await;
    let error = transport.send(message("b@quintet", "ada@example.com")).await;
    assert!(!error.unwrap_err().is_permanent());
    assert_eq!(it.ledger().await["mails"], json!([mail("a@quintet", 1)]));
}

#[tokio::test]
async fn a_lost_answer_keeps_the_mail() {
    let it = Harness::start().await;
    it.faults(json!({ "mail": { "lost_answer_rate": 1 } })).await;
    let transport = transport(&it);
    let error = transport.send(message("a@quintet", "ada@example.com")).await;
    assert!(error.unwrap_err().status().is_none(), "there is no answer");
    it.faults(json!({})).await;
    transport.send(message("a@quintet", "ada@example.com")).await.unwrap();
    assert_eq!(it.ledger().await["mails"], json!([mail("a@quintet", 2)]));
}

#[tokio::test]
async fn what_cannot_be_committed_is_not_confirmed() {
    let it = Harness::start().await;
    let file = SqliteConnectOptions::new().filename(it.data.path().join("sandbox.db"));
    let mut file = SqliteConnection::connect_with(&file).await.unwrap();
    for statement in [
        "create trigger full_mail before insert on mail begin select raise(abort, 'full'); end",
        "create trigger full_entry before insert on entry begin select raise(abort, 'full'); end",
    ] {
        sqlx::query(statement).execute(&mut file).await.unwrap();
    }
    let transport = transport(&it);
    let sent = transport.send(message("a@quintet", "ada@example.com")).await;
    assert_eq!(sent.unwrap_err().status().unwrap().to_string(), "451");
    let (status, _) = it.charge("k", "tok_ok").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);

    for statement in ["drop trigger full_mail", "drop trigger full_entry"] {
        sqlx::query(statement).execute(&mut file).await.unwrap();
    }
    let sent = transport.send(message("a@quintet", "ada@example.com")).await;
    assert!(sent.unwrap().is_positive());
    assert_eq!(it.charge("k", "tok_ok").await.0, StatusCode::OK);
    let ledger = it.ledger().await;
    assert_eq!(ledger["mails"], json!([mail("a@quintet", 1)]));
    assert_eq!(ledger["charges"][0]["requests"], json!(1));
}

/// Sends `wire` at once and returns the codes of all replies.
async fn codes(it: &Harness, wire: &str) -> Vec<String> {
    let mut stream = TcpStream::connect(it.sandbox.smtp()).await.unwrap();
    stream.write_all(wire.as_bytes()).await.unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.unwrap();
    let last_lines = replies.lines().filter(|line| line.as_bytes().get(3) == Some(&b' '));
    last_lines.map(|line| line[..3].to_owned()).collect()
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let it = Harness::start().await;
    let mail = "MAIL FROM:<a@b.c> SIZE=20 BODY=8BITMIME\r\nRCPT TO:<d@e.f>\r\nRCPT TO:<x@Bounce.Example>\r\nDATA\r\n";
    let wire = format!(
        "EHLO me\r\n{mail}Message-ID: <1@x>\r\n\r\n..\r\n.\r\nmail from: <>\r\nRSET\r\n{mail}\r\nno id\r\n.\r\nQUIT\r\n"
    );
    let expected = [
        "220", "250", "250", "250", "550", "354", "250", "250", "250", "250", "250", "550", "354",
        "250", "221",
    ];
    assert_eq!(codes(&it, &wire).await, expected);
    let ledger = it.ledger().await;
    let mails = ledger["mails"].as_array().unwrap();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0]["message_id"], json!("1@x"));
    assert_eq!(mails[0]["to"], json!("d@e.f"), "the envelope's, for want of a header");
    assert_eq!(mails[0]["order_id"], json!(null));
}

#[tokio::test]
async fn a_message_may_come_in_chunks() {
    let it = Harness::start().await;
    let envelope = "MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\n";
    let wire = format!(
        "EHLO me\r\n{envelope}BDAT 14\r\nMessage-ID: <1BDAT 8 LAST\r\n@x>\r\n\r\n.{envelope}BDAT 5 last\r\nDATA\n\
         BDAT 4 LAST\r\nQUITMAIL FROM:<a@b.c>\r\nRCPT TO:<x@bounce.example>\r\nBDAT 2 LAST\r\n\r\nRSET\r\n\
         {envelope}BDAT 2\r\nxxDATA\r\nBDAT 0 LAST\r\nBDAT many\r\nNOOP\r\n"
    );
    let expected = [
        "220", "250", "250", "250", "250", "250", "250", "250", "250", "503", "250", "550", "554",
        "250", "250", "250", "250", "503", "503", "501",
    ];
    assert_eq!(codes(&it, &wire).await, expected);
    let ledger = it.ledger().await;
    let mails = ledger["mails"].as_array().unwrap();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0]["message_id"], json!("1@x"));
}

#[tokio::test]
async fn an_oversized_chunk_is_refused_and_the_connection_goes_on() {
    let it = Harness::start().await;
    let (chunk, size) = ("x".repeat(700_000), 700_000);
    let wire = format!(
        "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT {size}\r\n{chunk}BDAT {size} LAST\r\n{chunk}\
         NOOP\r\nQUIT\r\n"
    );
    let expected = ["220", "250", "250", "250", "250", "552", "250", "221"];
    assert_eq!(codes(&it, &wire).await, expected);
    assert_eq!(it.ledger().await["mails"], json!([]));
}

#[tokio::test]
async fn commands_out_of_turn_and_over_the_limits_are_refused() {
    let it = Harness::start().await;
    let long = "x".repeat(10_000);
    let wire = format!(
        "MAIL FROM:<a@b>\r\nHELO\r\nHELO me\r\nRCPT TO:<a@b>\r\nDATA\r\nMAIL FROM:<a@b> SIZE=99999999\r\n\
         MAIL FROM:<a@b> X=1\r\nMAIL a@b\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ab>\r\nDATA\r\n\
         VRFY a\r\nNOOP\r\nHELP\r\nSTARTTLS\r\n{long}\r\nQUIT\r\n"
    );
    let expected = [
        "220", "503", "501", "250", "503", "503", "552", "555", "501", "250", "503", "553", "554",
        "252", "250", "214", "500", "500", "221",
    ];
    assert_eq!(codes(&it, &wire).await, expected);
}

#[tokio::test]
async fn an_oversized_message_is_refused_and_the_connection_goes_on() {
    let it = Harness::start().await;
    let body = "0123456789abcdef\r\n".repeat(70_000);
    let wire = format!(
        "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n{body}.\r\nNOOP\r\nQUIT\r\n"
    );
    let expected = ["220", "250", "250", "250", "354", "552", "250", "221"];
    assert_eq!(codes(&it, &wire).await, expected);
    assert_eq!(it.ledger().await["mails"], json!([]));
}

#[tokio::test]
async fn stopping_says_goodbye_to_open_connections() {
    let it = Harness::start().await;
    let mut stream = TcpStream::connect(it.sandbox.smtp()).await.unwrap();
    stream.write_all(b"EHLO me\r\n").await.unwrap();
    let mut greeting = [0; 3];
    stream.read_exact(&mut greeting).await.unwrap();
    it.sandbox.stop().await;
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.unwrap();
    assert!(replies.trim_end().lines().last().unwrap().starts_with("421"), "{replies}");
}

#[tokio::test]
async fn a_mail_that_hangs_ends_with_its_client() {
    let it = Harness::start().await;
    it.faults(json!({ "mail": { "poison": "hang" } })).await;
    for more in ["", "DATA\r\n"] {
        let mut stream = TcpStream::connect(it.sandbox.smtp()).await.unwrap();
        let wire = format!("EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@poisoned.example>\r\n{more}");
        stream.write_all(wire.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut replies = String::new();
        let ended = timeout(LESS_THAN_IT_HANGS, stream.read_to_string(&mut replies)).await;
        ended.expect("the connection is kept").unwrap();
        assert!(replies.trim_end().lines().last().unwrap().starts_with("421"), "{replies}");
    }
}
