use anyhow::{Context, ensure};
use async_trait::async_trait;
use axum::http::Uri;
use contracts::{EffectId, Milestone, OrderId};
use engine::Attempt;
use lettre::{
    Message,
    address::Envelope,
    message::{
        Mailbox,
        header::{ContentType, Header, HeaderName, HeaderValue},
    },
    transport::smtp::authentication::Credentials,
};
use service::no_answer;

use super::{Mail, MailAnswer, Mailer, connections::Connections, session::SessionError};
use crate::SmtpConfig;

/// A mail server spoken to by SMTP. Definite are its acceptance and its permanent refusals (5xx,
/// RFC 5321 §4.2.1).
pub(crate) struct SmtpMailer {
    server: Connections,
    from: Mailbox,
}

/// RFC 5321 §4.5.4.2.
const SMTP_PORT: u16 = 25;

impl SmtpMailer {
    pub(crate) fn new(config: &SmtpConfig) -> anyhow::Result<Self> {
        let url: Uri = config.url.parse().context("url")?;
        ensure!(url.scheme_str() == Some("smtp"), "url must be smtp://HOST:PORT");
        let host = url.host().context("url names no host")?;
        let credentials = (!config.user.is_empty())
            .then(|| Credentials::new(config.user.clone(), config.password.clone()));
        let port = url.port_u16().unwrap_or(SMTP_PORT);
        let server = Connections::to(host, port, credentials);
        Ok(Self { server, from: config.from.parse().context("from")? })
    }

    fn message(&self, message_id: &str, mail: &Mail) -> anyhow::Result<Message> {
        let (subject, text) = words(mail.milestone, mail.order_id);
        let to: Mailbox = mail.to.parse().context("the address")?;
        Ok(Message::builder()
            // It would be read from the headers otherwise.
            .envelope(Envelope::new(Some(self.from.email.clone()), vec![to.email.clone()])?)
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .message_id(Some(format!("<{message_id}>")))
            .header(OrderHeader(mail.order_id.to_string()))
            .header(ContentType::TEXT_PLAIN)
            .body(text)?)
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, key: EffectId, mail: &Mail) -> Attempt<MailAnswer> {
        let message_id = format!("{key}@{}", self.from.email.domain());
        let message = match self.message(&message_id, mail) {
            Ok(message) => message,
            // It will never be sendable.
            Err(error) => {
                return Attempt::Answered(MailAnswer::Refused { reason: format!("{error:#}") });
            }
        };
        match self.server.send(&message).await {
            Ok(()) => Attempt::Answered(MailAnswer::Sent { message_id }),
            Err(error) if refuses_the_mail(&error) => {
                let reason = error.to_string().replace(char::is_control, " ");
                Attempt::Answered(MailAnswer::Refused { reason })
            }
            Err(error) => no_answer(&error),
        }
    }
}

/// Whether the server refuses this mail, and not us: 550 to 554 speak of mailbox and message, 530 to
/// 538 of who we are (RFC 5321 §4.2.3, RFC 4954 §6), and a wrong password must not lose mail.
fn refuses_the_mail(error: &SessionError) -> bool {
    error.code().is_some_and(|code| (550..=554).contains(&code))
}

fn words(milestone: Milestone, order: OrderId) -> (String, String) {
    let (what, more) = match milestone {
        Milestone::Placed => ("We have your order", "We will write again when it is on its way."),
        Milestone::Completed => ("Your order is on its way", "Thank you for ordering with us."),
        Milestone::Cancelled => {
            ("Your order is cancelled", "Whatever you have paid for it goes back to you.")
        }
    };
    (format!("{what}: {order}"), format!("{what}: {order}.\r\n\r\n{more}\r\n"))
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
