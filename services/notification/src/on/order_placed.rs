//! OrderPlaced → *mail (NotificationSent | NotificationFailed)
//!
//! Brings the address. If the order has ended already, both mails are requested.

use contracts::{Milestone, OrderPlaced};

use crate::{Notification, Out, State, World};

pub(crate) fn react(world: &mut World, event: &OrderPlaced, out: &mut Out) {
    let email = Some(event.customer.email.clone());
    match world.notifications.get_mut(&event.order_id) {
        None => {
            let new = Notification::new(event.order_id, State::HasAddress);
            let mut notification = Notification { email, ..new };
            notification.request_mail(Milestone::Placed, out);
            world.notifications.put(notification);
        }
        Some(notification) if notification.state == State::HasEnd => {
            notification.state = State::Both;
            notification.email = email;
            notification.request_mail(Milestone::Placed, out);
            if let Some(end) = notification.ended {
                notification.request_mail(end, out);
            }
        }
        Some(_) => {}
    }
}
