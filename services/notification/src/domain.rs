use contracts::{Milestone, OrderId};
use serde::{Deserialize, Serialize};

use crate::{Mail, Out};

/// What the notification service knows of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// The order.
    pub order_id: OrderId,
    /// How much is known of it.
    pub state: State,
    /// The customer's e-mail address. Personal data, so the column can be erased.
    #[serde(skip)]
    pub email: Option<String>,
    /// How the order ended, if it has.
    pub ended: Option<Milestone>,
    /// The state of the mail about its placing.
    pub placed_mail: Option<MailStatus>,
    /// The state of the mail about its end.
    pub end_mail: Option<MailStatus>,
}

/// How much is known of an order. *Both* is final.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// The address is known, and the first mail has been requested. The order has not ended.
    HasAddress,
    /// The order has ended, but the address is not known.
    HasEnd,
    /// Address and end are known, and both mails have been requested.
    Both,
}

/// The state of a mail.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumString,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum MailStatus {
    /// The mail server was asked to take it.
    Sending,
    /// The mail server took it.
    Sent,
    /// The mail server refused it.
    Failed,
}

impl Notification {
    /// A row of which only the order is known.
    #[must_use]
    pub fn new(order_id: OrderId, state: State) -> Self {
        Self { order_id, state, email: None, ended: None, placed_mail: None, end_mail: None }
    }

    /// The state of the mail about this milestone.
    pub(crate) fn mail(&mut self, milestone: Milestone) -> &mut Option<MailStatus> {
        match milestone {
            Milestone::Placed => &mut self.placed_mail,
            Milestone::Completed | Milestone::Cancelled => &mut self.end_mail,
        }
    }

    /// Requests the mail about this milestone, if the address is known.
    pub(crate) fn request_mail(&mut self, milestone: Milestone, out: &mut Out) {
        let Some(email) = self.email.clone() else { return };
        *self.mail(milestone) = Some(MailStatus::Sending);
        out.request(Mail { order_id: self.order_id, milestone, to: email });
    }
}
