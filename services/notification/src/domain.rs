use contracts::{Milestone, OrderId};
use serde::{Deserialize, Serialize};

use crate::{Mail, Out};

/// What notification knows of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// The order.
    pub order_id: OrderId,
    /// What is known of it.
    pub state: State,
    /// Where mail goes. Personal data: a column that can be erased.
    #[serde(skip)]
    pub email: Option<String>,
    /// How the order ended, once it has.
    pub ended: Option<Milestone>,
    /// The mail that says that it is placed.
    pub placed_mail: Option<MailStatus>,
    /// The mail that says how it ended.
    pub end_mail: Option<MailStatus>,
}

/// What is known of an order. *Both* is final.
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
    /// The address; the first mail is on its way.
    HasAddress,
    /// The end, but not where to write.
    HasEnd,
    /// Both; both mails are on their way.
    Both,
}

/// Where a mail stands.
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
    /// The mail server was asked.
    Sending,
    /// It took the mail.
    Sent,
    /// It refused it.
    Failed,
}

impl Notification {
    /// What is known of an order of which nothing is.
    #[must_use]
    pub fn new(order_id: OrderId, state: State) -> Self {
        Self { order_id, state, email: None, ended: None, placed_mail: None, end_mail: None }
    }

    /// The mail of this milestone.
    pub(crate) fn mail(&mut self, milestone: Milestone) -> &mut Option<MailStatus> {
        match milestone {
            Milestone::Placed => &mut self.placed_mail,
            Milestone::Completed | Milestone::Cancelled => &mut self.end_mail,
        }
    }

    /// Writes the mail of this milestone.
    pub(crate) fn write(&mut self, milestone: Milestone, out: &mut Out) {
        let Some(email) = self.email.clone() else { return };
        *self.mail(milestone) = Some(MailStatus::Sending);
        out.request(Mail { order_id: self.order_id, milestone, to: email });
    }
}
