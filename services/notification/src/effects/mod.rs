//! The notification service's request to the mail server.

mod connections;
mod error;
mod reply;
mod server;
mod session;
mod smtp;
mod tls;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Milestone, OrderId};
use quintet::{Attempt, EffectId, Impossible, Outside, Resolution, Trace};
use serde::{Deserialize, Serialize};

pub(crate) use smtp::SmtpMailer;

use crate::NotificationService;

/// A request to send a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The order that it is about.
    pub order_id: OrderId,
    /// The milestone of the order that it is about.
    pub milestone: Milestone,
    /// The recipient's address.
    pub to: String,
}

/// The mail server's definite answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailAnswer {
    /// The server took the mail.
    Sent {
        /// The Message-ID of the mail, without its angle brackets.
        message_id: String,
    },
    /// The server refused the mail for good.
    Refused {
        /// Why.
        reason: String,
    },
}

impl quintet::Effect<OrderId> for Mail {
    fn aggregate(&self) -> OrderId {
        self.order_id
    }

    fn name(&self) -> String {
        format!("mail-{}", self.milestone.as_str())
    }

    /// All mail to one domain shares a key, because it fails together.
    fn isolation_key(&self) -> String {
        let mailbox = quintet::service::mailbox(&self.to);
        let domain = mailbox.rsplit_once('@').map_or(&*mailbox, |(_, domain)| domain);
        format!("domain {domain}")
    }
}

/// The outcome of a held mail, as an operator found it at the mail server.
pub(crate) fn resolve(
    mail: &Mail,
    found: &Resolution,
) -> Result<(Milestone, MailAnswer), Impossible> {
    let answer = match found.outcome.as_str() {
        "sent" => MailAnswer::Sent { message_id: found.reference()? },
        "refused" | Resolution::NEVER_ARRIVED => MailAnswer::Refused { reason: found.reason() },
        _ => return Err(Impossible::outcome("sent, refused or never_arrived")),
    };
    Ok((mail.milestone, answer))
}

/// A way to send mail. SMTP has no idempotency keys, so a crash may cause a mail to be sent twice, but always under
/// the same Message-ID.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends the mail, with `key` in its Message-ID.
    async fn send(&self, key: EffectId, mail: &Mail) -> Attempt<MailAnswer>;
}

/// The notification service's connection to the outside world.
pub struct Providers(pub Arc<dyn Mailer>);

#[async_trait]
impl Outside<NotificationService> for Providers {
    async fn attempt(
        &self,
        id: EffectId,
        mail: Mail,
        _: Trace,
    ) -> Attempt<(Milestone, MailAnswer)> {
        self.0.send(id, &mail).await.map(|answer| (mail.milestone, answer))
    }
}

#[cfg(test)]
mod tests {
    use quintet::Effect;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn all_spellings_of_a_domain_share_an_isolation_key() {
        let key = |to: &str| {
            let order_id = Uuid::nil().into();
            Mail { order_id, milestone: Milestone::Placed, to: to.to_owned() }.isolation_key()
        };
        for to in ["v@Bücher.example", "w@xn--bcher-kva.example", "w@bu\u{308}cher.example."] {
            assert_eq!(key(to), "domain xn--bcher-kva.example", "{to}");
        }
        assert_eq!(key("no-address"), "domain no-address");
    }
}
