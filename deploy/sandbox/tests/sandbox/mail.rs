//! The mail sink, tested with a real client and byte by byte.

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

/// Less than the 30 seconds for which a request hangs.
const LESS_THAN_HANGING: Duration = Duration::from_secs(20);

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

fn transport(harness: &Harness) -> Transport {
    let address = harness.sandbox.smtp();
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
async fn a_mail_is_stored_under_its_message_id() {
    let harness = Harness::start().await;
    let transport = transport(&harness);
    for id in ["a@quintet", "b@quintet", "a@quintet"] {
        let sent = transport.send(message(id, "Ada <ada@example.com>")).await;
        assert!(sent.unwrap().is_positive());
    }
    let harness = harness.restart().await;
    let expected = json!([mail("a@quintet", 2), mail("b@quintet", 1)]);
    assert_eq!(harness.ledger().await["mails"], expected);
    let (_, one) = harness.get(&format!("/ledger?order_id={ORDER}")).await;
    assert_eq!(one["mails"], expected);
}

#[tokio::test]
async fn a_bounce_is_a_permanent_error() {
    let harness = Harness::start().await;
    let error = transport(&harness).send(message("a@quintet", "x@bounce.example")).await;
    let error = error.unwrap_err();
    assert!(error.is_permanent(), "{error}");
    assert_eq!(error.status().unwrap().to_string(), "550");
    assert_eq!(harness.ledger().await["mails"], json!([]));
}

#[tokio::test]
async fn errors_are_temporary_and_store_nothing() {
    let harness = Harness::start().await;
    harness.faults(json!({ "mail": { "error_rate": 1 } })).await;
    let error = transport(&harness).send(message("a@quintet", "ada@example.com")).await;
    let error = error.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(error.status().unwrap().to_string(), "451");
    assert_eq!(harness.ledger().await["mails"], json!([]));
}

#[tokio::test]
async fn an_outage_reaches_open_connections_too() {
    let harness = Harness::start().await;
    let transport = transport(&harness);
    transport.send(message("a@quintet", "ada@example.com")).await.unwrap();
    harness.faults(json!({ "mail": { "outage": true } })).await;
    let error = transport.send(message("b@quintet", "ada@example.com")).await;
    assert!(!error.unwrap_err().is_permanent());
    assert_eq!(harness.ledger().await["mails"], json!([mail("a@quintet", 1)]));
}

#[tokio::test]
async fn a_mail_whose_answer_is_lost_is_stored() {
    let harness = Harness::start().await;
    harness.faults(json!({ "mail": { "lost_answer_rate": 1 } })).await;
    let transport = transport(&harness);
    let error = transport.send(message("a@quintet", "ada@example.com")).await;
    assert!(error.unwrap_err().status().is_none(), "there is no answer");
    harness.faults(json!({})).await;
    transport.send(message("a@quintet", "ada@example.com")).await.unwrap();
    assert_eq!(harness.ledger().await["mails"], json!([mail("a@quintet", 2)]));
}

#[tokio::test]
async fn a_request_that_cannot_be_committed_is_not_confirmed() {
    let harness = Harness::start().await;
    let file = SqliteConnectOptions::new().filename(harness.data.path().join("sandbox.db"));
    let mut file = SqliteConnection::connect_with(&file).await.unwrap();
    for statement in [
        "create trigger full_mail before insert on mail begin select raise(abort, 'full'); end",
        "create trigger full_entry before insert on entry begin select raise(abort, 'full'); end",
    ] {
        sqlx::query(statement).execute(&mut file).await.unwrap();
    }
    let transport = transport(&harness);
    let sent = transport.send(message("a@quintet", "ada@example.com")).await;
    assert_eq!(sent.unwrap_err().status().unwrap().to_string(), "451");
    let (status, _) = harness.charge("k", "tok_ok").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);

    for statement in ["drop trigger full_mail", "drop trigger full_entry"] {
        sqlx::query(statement).execute(&mut file).await.unwrap();
    }
    let sent = transport.send(message("a@quintet", "ada@example.com")).await;
    assert!(sent.unwrap().is_positive());
    assert_eq!(harness.charge("k", "tok_ok").await.0, StatusCode::OK);
    let ledger = harness.ledger().await;
    assert_eq!(ledger["mails"], json!([mail("a@quintet", 1)]));
    assert_eq!(ledger["charges"][0]["requests"], json!(1));
}

/// Sends `wire` at once and returns the codes of all replies.
async fn codes(harness: &Harness, wire: &str) -> Vec<String> {
    let mut stream = TcpStream::connect(harness.sandbox.smtp()).await.unwrap();
    stream.write_all(wire.as_bytes()).await.unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.unwrap();
    let last_lines = replies.lines().filter(|line| line.as_bytes().get(3) == Some(&b' '));
    last_lines.map(|line| line[..3].to_owned()).collect()
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let harness = Harness::start().await;
    let mail = "MAIL FROM:<a@b.c> SIZE=20 BODY=8BITMIME\r\nRCPT TO:<d@e.f>\r\nRCPT TO:<x@Bounce.Example>\r\nDATA\r\n";
    let wire = format!(
        "EHLO me\r\n{mail}Message-ID: <1@x>\r\n\r\n..\r\n.\r\nmail from: <>\r\nRSET\r\n{mail}\r\nno id\r\n.\r\nQUIT\r\n"
    );
    let expected = [
        "220", "250", "250", "250", "550", "354", "250", "250", "250", "250", "250", "550", "354",
        "250", "221",
    ];
    assert_eq!(codes(&harness, &wire).await, expected);
    let ledger = harness.ledger().await;
    let mails = ledger["mails"].as_array().unwrap();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0]["message_id"], json!("1@x"));
    assert_eq!(
        mails[0]["to"],
        json!("d@e.f"),
        "without a header, the recipients of the envelope count"
    );
    assert_eq!(mails[0]["order_id"], json!(null));
}

#[tokio::test]
async fn a_message_may_come_in_chunks() {
    let harness = Harness::start().await;
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
    assert_eq!(codes(&harness, &wire).await, expected);
    let ledger = harness.ledger().await;
    let mails = ledger["mails"].as_array().unwrap();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0]["message_id"], json!("1@x"));
}

#[tokio::test]
async fn an_oversized_chunk_is_refused_and_the_connection_stays_usable() {
    let harness = Harness::start().await;
    let (chunk, size) = ("x".repeat(700_000), 700_000);
    let wire = format!(
        "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT {size}\r\n{chunk}BDAT {size} LAST\r\n{chunk}\
         NOOP\r\nQUIT\r\n"
    );
    let expected = ["220", "250", "250", "250", "250", "552", "250", "221"];
    assert_eq!(codes(&harness, &wire).await, expected);
    assert_eq!(harness.ledger().await["mails"], json!([]));
}

#[tokio::test]
async fn commands_in_the_wrong_order_or_over_the_limits_are_refused() {
    let harness = Harness::start().await;
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
    assert_eq!(codes(&harness, &wire).await, expected);
}

#[tokio::test]
async fn an_oversized_message_is_refused_and_the_connection_stays_usable() {
    let harness = Harness::start().await;
    let body = "0123456789abcdef\r\n".repeat(70_000);
    let wire = format!(
        "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n{body}.\r\nNOOP\r\nQUIT\r\n"
    );
    let expected = ["220", "250", "250", "250", "354", "552", "250", "221"];
    assert_eq!(codes(&harness, &wire).await, expected);
    assert_eq!(harness.ledger().await["mails"], json!([]));
}

#[tokio::test]
async fn open_connections_get_421_when_the_sandbox_stops() {
    let harness = Harness::start().await;
    let mut stream = TcpStream::connect(harness.sandbox.smtp()).await.unwrap();
    stream.write_all(b"EHLO me\r\n").await.unwrap();
    let mut greeting = [0; 3];
    stream.read_exact(&mut greeting).await.unwrap();
    harness.sandbox.stop().await;
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.unwrap();
    assert!(replies.trim_end().lines().last().unwrap().starts_with("421"), "{replies}");
}

#[tokio::test]
async fn a_hanging_mail_ends_when_its_client_leaves() {
    let harness = Harness::start().await;
    harness.faults(json!({ "mail": { "poison": "hang" } })).await;
    for more in ["", "DATA\r\n"] {
        let mut stream = TcpStream::connect(harness.sandbox.smtp()).await.unwrap();
        let wire = format!("EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@poisoned.example>\r\n{more}");
        stream.write_all(wire.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut replies = String::new();
        let ended = timeout(LESS_THAN_HANGING, stream.read_to_string(&mut replies)).await;
        ended.expect("the connection ends").unwrap();
        assert!(replies.trim_end().lines().last().unwrap().starts_with("421"), "{replies}");
    }
}
