//! *mail → NotificationSent | NotificationFailed

use contracts::{Milestone, NotificationFailed, NotificationSent, OrderId};

use crate::{MailAnswer, MailStatus, Out, World};

pub(crate) fn react(
    world: &mut World,
    order_id: OrderId,
    milestone: Milestone,
    answer: &MailAnswer,
    out: &mut Out,
) {
    let Some(notification) = world.notifications.get_mut(&order_id) else { return };
    let mail = notification.mail(milestone);
    if *mail != Some(MailStatus::Sending) {
        return;
    }
    match answer {
        MailAnswer::Sent { message_id } => {
            *mail = Some(MailStatus::Sent);
            out.emit(NotificationSent { order_id, milestone, message_id: message_id.clone() });
        }
        MailAnswer::Refused { reason } => {
            *mail = Some(MailStatus::Failed);
            out.emit(NotificationFailed { order_id, milestone, reason: reason.clone() });
        }
    }
}
