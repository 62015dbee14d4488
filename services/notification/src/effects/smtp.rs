use anyhow::{Context, anyhow};
use async_trait::async_trait;
use contracts::{Milestone, OrderId};
use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Mailbox,
        header::{ContentType, Header, HeaderName, HeaderValue},
    },
};
use quintet::{Attempt, EffectId};

use super::{Mail, MailAnswer, Mailer, connections::Connections, error::MailError, server::Server};
use crate::SmtpConfig;

/// The longest reason why a mail was not taken, in characters.
const LONGEST_REASON: usize = 500;

/// A mail server reached by SMTP. Its definite answers are the acceptance and the permanent refusal of a mail (5xx
/// to MAIL, RCPT or DATA, RFC 5321 §4.2.1).
pub(crate) struct SmtpMailer {
    server: Connections,
    from: Mailbox,
}

impl SmtpMailer {
    pub(crate) fn new(config: &SmtpConfig) -> anyhow::Result<Self> {
        let from = config.from.parse().map_err(|error| {
            anyhow!(
                "smtp.from = {:?} is no sender ({error}); give an address such as shop@shop.example",
                config.from
            )
        })?;
        Ok(Self { server: Connections::to(Server::of(config)?), from })
    }

    fn message(&self, message_id: &str, mail: &Mail) -> anyhow::Result<Message> {
        let Text { subject, body } = text(mail.milestone, mail.order_id);
        let to: Mailbox = mail.to.parse().context("the address")?;
        let to = Mailbox { email: in_ascii(to.email), ..to };
        Ok(Message::builder()
            // Set explicitly: lettre would derive it from the headers, which have the address as it was given.
            .envelope(Envelope::new(Some(self.from.email.clone()), vec![to.email.clone()])?)
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .message_id(Some(format!("<{message_id}>")))
            .header(OrderHeader(mail.order_id.to_string()))
            .header(ContentType::TEXT_PLAIN)
            .body(body)?)
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, key: EffectId, mail: &Mail) -> Attempt<MailAnswer> {
        let message_id = format!("{key}@{}", self.from.email.domain());
        let message = match self.message(&message_id, mail) {
            Ok(message) => message,
            // A repeat would fail too, so this is a refusal.
            Err(error) => {
                return Attempt::Answered(MailAnswer::Refused { reason: format!("{error:#}") });
            }
        };
        match self.server.send(&message).await {
            Ok(()) => Attempt::Answered(MailAnswer::Sent { message_id }),
            Err(error) if error.why.refuses_the_mail() => {
                Attempt::Answered(MailAnswer::Refused { reason: reason(&error) })
            }
            Err(error) => Attempt::NoAnswer(reason(&error)),
        }
    }
}

/// The error as the reason of a failed mail: bounded and in one line, because the server's reply may be anything.
fn reason(error: &MailError) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    error.to_string().chars().map(plain).take(LONGEST_REASON).collect()
}

/// The address with its domain in the ASCII form that DNS uses (RFC 5891), so that any server can take it.
/// Unchanged if the part before the @ is not ASCII either.
fn in_ascii(address: Address) -> Address {
    if address.domain().is_ascii() || !address.user().is_ascii() {
        return address;
    }
    let domain = quintet::service::mail_domain(address.domain());
    Address::new(address.user(), domain).unwrap_or(address)
}

struct Text {
    subject: String,
    body: String,
}

fn text(milestone: Milestone, order: OrderId) -> Text {
    let (what, more) = match milestone {
        Milestone::Placed => ("We have your order", "We will write again when it is on its way."),
        Milestone::Completed => ("Your order is on its way", "Thank you for ordering with us."),
        Milestone::Cancelled => {
            ("Your order is cancelled", "Whatever you have paid for it goes back to you.")
        }
    };
    let subject = format!("{what}: {order}");
    let body = format!("{subject}.\r\n\r\n{more}\r\n");
    Text { subject, body }
}

/// Lets the recipient's systems find the order.
#[derive(Debug, Clone)]
struct OrderHeader(String);

impl Header for OrderHeader {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Quintet-Order")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
    };
    use uuid::Uuid;

    use super::*;
    use crate::StartTls;

    /// A server that announces `extensions`, answers RCPT with `rcpt_reply`, and accepts everything else.
    async fn server(rcpt_reply: &'static str, extensions: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await?;
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 here\r\n").await?;
            let mut line = String::new();
            while stream.read_line(&mut line).await? > 0 {
                let reply = match line.split([' ', '\r']).next().unwrap_or_default() {
                    "EHLO" => extensions,
                    "RCPT" => rcpt_reply,
                    "DATA" => "354 go on\r\n",
                    "MAIL" | "." => "250 fine\r\n",
                    _ => "",
                };
                stream.write_all(reply.as_bytes()).await?;
                line.clear();
            }
            std::io::Result::Ok(())
        });
        address
    }

    async fn send(to: &str, server: SocketAddr) -> Attempt<MailAnswer> {
        let config = SmtpConfig {
            url: format!("smtp://{server}"),
            starttls: StartTls::Off,
            certificates: String::new(),
            user: String::new(),
            password: String::new(),
            from: "a@example.com".to_owned(),
        };
        let order_id = Uuid::nil().into();
        let mail = Mail { order_id, milestone: Milestone::Placed, to: to.to_owned() };
        SmtpMailer::new(&config).unwrap().send(Uuid::nil().into(), &mail).await
    }

    #[test]
    fn a_sender_that_is_no_address_is_refused_with_an_example() {
        let config = SmtpConfig {
            url: "smtp://mail".to_owned(),
            starttls: StartTls::Off,
            certificates: String::new(),
            user: String::new(),
            password: String::new(),
            from: "nope".to_owned(),
        };
        let error = SmtpMailer::new(&config).err().unwrap().to_string();
        assert!(error.starts_with("smtp.from = \"nope\" is no sender"), "{error}");
    }

    const PLAIN: &str = "250 here\r\n";

    #[tokio::test]
    async fn a_permanent_refusal_of_the_recipient_is_a_definite_answer() {
        let reply = "504 5.5.2 <ada@localhost>: need fully-qualified address\r\n";
        let at = server(reply, PLAIN).await;
        let Attempt::Answered(MailAnswer::Refused { reason }) = send("ada@localhost", at).await
        else {
            panic!("the mail was not refused");
        };
        assert_eq!(reason, format!("smtp://{at} answers RCPT with {}", reply.trim_end()));
    }

    #[tokio::test]
    async fn an_address_that_the_server_cannot_take_is_refused_with_the_reason() {
        let at = server("250 fine\r\n", PLAIN).await;
        let needs =
            format!("smtp://{at} does not announce SMTPUTF8, which the recipient's address needs");
        let refused = Attempt::Answered(MailAnswer::Refused { reason: needs });
        assert_eq!(send("ü@x.example", at).await, refused);
        let extensions = "250-here\r\n250 SMTPUTF8\r\n";
        let at = server("250 fine\r\n", extensions).await;
        let attempt = send("ü@x.example", at).await;
        let Attempt::Answered(MailAnswer::Refused { reason }) = attempt else {
            panic!("{attempt:?}");
        };
        assert!(reason.contains("8BITMIME"), "{reason}");
    }

    #[tokio::test]
    async fn a_domain_beyond_ascii_needs_no_extension() {
        let at = server("250 fine\r\n", PLAIN).await;
        let attempt = send("ada@bücher.example", at).await;
        assert!(matches!(attempt, Attempt::Answered(MailAnswer::Sent { .. })), "{attempt:?}");
        assert_eq!(
            in_ascii("ada@bücher.example".parse().unwrap()).domain(),
            "xn--bcher-kva.example"
        );
    }

    #[tokio::test]
    async fn a_temporary_refusal_or_one_about_this_service_is_no_definite_answer() {
        for reply in ["450 4.2.1 busy\r\n", "421 4.3.2 closing\r\n", "530 5.7.0 log in\r\n"] {
            let at = server(reply, PLAIN).await;
            let reason = format!("smtp://{at} answers RCPT with {}", reply.trim_end());
            assert_eq!(send("ada@example.com", at).await, Attempt::NoAnswer(reason));
        }
    }

    #[tokio::test]
    async fn a_long_reply_is_cut() {
        let reply = format!("550 {}\r\n", "no ".repeat(10_000));
        let at = server(reply.leak(), PLAIN).await;
        let attempt = send("ada@example.com", at).await;
        let Attempt::Answered(MailAnswer::Refused { reason }) = attempt else {
            panic!("{attempt:?}");
        };
        assert!(reason.chars().count() <= LONGEST_REASON, "{reason}");
    }
}
