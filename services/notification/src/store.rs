use contracts::{Milestone, OrderId};
use quintet::{Input, Rows, StoreError, Tx, record, text_field};

use crate::{MailStatus, Notification, NotificationService, Out, State};

/// The rows that a batch may touch: one per order.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The orders and their mails.
    pub notifications: Rows<Notification>,
}

text_field!(State, MailStatus);
record!(Notification in "notification": order_id: OrderId, state: State, email: Option<String>,
    ended: Option<Milestone>, placed_mail: Option<MailStatus>, end_mail: Option<MailStatus>);

impl World {
    pub(crate) async fn load(
        tx: &mut Tx,
        inputs: &[&Input<NotificationService>],
    ) -> Result<Self, StoreError> {
        let orders = inputs.iter().filter_map(|input| input.aggregate());
        Ok(Self { notifications: Rows::load(tx, orders).await? })
    }

    /// Records that an order has ended, and requests the mail about it if the address is known.
    pub(crate) fn ended(&mut self, order_id: OrderId, end: Milestone, out: &mut Out) {
        match self.notifications.get_mut(&order_id) {
            None => {
                let ended = Some(end);
                let new = Notification::new(order_id, State::HasEnd);
                self.notifications.put(Notification { ended, ..new });
            }
            Some(notification) if notification.state == State::HasAddress => {
                notification.state = State::Both;
                notification.ended = Some(end);
                notification.request_mail(end, out);
            }
            Some(_) => {}
        }
    }
}
