//! The notification service, as the tests play it.

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Event, Milestone};
use engine::{Effect as _, Outside, What};
use inventory::Product;
use notification::{Mail, MailAnswer, Notification, NotificationService, Providers};
use quintet_test::{AGGREGATE, Described, row_of};
use serde_json::{Value, json};
use store::{Db, Rows};

use crate::{
    Entry, OrderSaga, OutsideWorld,
    entry::key,
    examples::{order_of, placed},
};

#[async_trait]
impl Described<OrderSaga> for NotificationService {
    type Row = Notification;

    fn simulated() -> Self {
        Self
    }

    fn outside(world: &Arc<OutsideWorld>) -> Arc<dyn Outside<Self>> {
        Arc::new(Providers(Arc::clone(world) as _))
    }

    fn world(notifications: Rows<Notification>, _: &Product) -> notification::World {
        notification::World { notifications }
    }

    fn rows(world: &notification::World) -> &Rows<Notification> {
        &world.notifications
    }

    fn beginnings() -> Vec<notification::World> {
        vec![notification::World { notifications: Rows::absent([AGGREGATE.into()]) }]
    }

    fn outcomes(mail: &Mail) -> Vec<(Milestone, MailAnswer)> {
        let (message_id, reason) = ("m".to_owned(), "no".to_owned());
        let answers = [MailAnswer::Sent { message_id }, MailAnswer::Refused { reason }];
        answers.map(|answer| (mail.milestone, answer)).into()
    }

    /// A mail that the server refused leaves no entry.
    fn entry(mail: &Mail, answer: &(Milestone, MailAnswer)) -> Option<Entry> {
        let MailAnswer::Sent { .. } = answer.1 else { return None };
        Some(Entry::Mail(audit::Mail {
            order_id: Some(mail.order_id.to_string()),
            message_id: key(mail.id()),
            to: mail.to.clone(),
            subject: mail.milestone.to_string(),
            copies: 1,
        }))
    }

    fn before(event: &Event) -> Vec<What<Self>> {
        match event {
            Event::OrderPlaced(_) => Vec::new(),
            _ => vec![What::Event(placed(order_of(event)).into())],
        }
    }

    async fn knows(db: &Db, event: &Event) -> Value {
        let notification: Notification = row_of(db, event).await;
        json!({ "row": notification, "email": notification.email })
    }
}
