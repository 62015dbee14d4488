//! The notification service sends one mail per milestone of an order: one when it is placed, and one when it has ended.

mod domain;
mod effects;
mod http;
mod on;
mod store;

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{Event, EventType, Milestone};
use quintet::{
    App, Impossible, Input, Listed, Migrations, Never, Outside, Participant, Reaction, Resolution,
    Service, StoreError, TableOf, Tx, What,
};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;

pub use domain::{MailStatus, Notification, State};
pub use effects::{Mail, MailAnswer, Mailer, Providers};
pub use store::World;

/// The notification service.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotificationService;

#[async_trait]
impl Participant for NotificationService {
    const NAME: &'static str = "notification";
    const CONSUMES: &'static [EventType] =
        &[EventType::OrderPlaced, EventType::OrderCompleted, EventType::OrderCancelled];

    type Contract = Event;
    type World = World;
    type Command = Never;
    type Reply = Never;
    type Effect = Mail;
    type Outcome = (Milestone, MailAnswer);
    type Alarm = Never;

    fn react(world: &mut World, input: &Input<Self>, out: &mut Reaction<Self>) {
        match &input.what {
            What::Event(Event::OrderPlaced(event)) => on::order_placed::react(world, event, out),
            What::Event(Event::OrderCompleted(event)) => {
                on::order_completed::react(world, event, out);
            }
            What::Event(Event::OrderCancelled(event)) => {
                on::order_cancelled::react(world, event, out);
            }
            What::Outcome(order, (milestone, answer)) => {
                on::mail_answered::react(world, *order, *milestone, answer, out);
            }
            What::Event(_) => {}
            What::Command(never) | What::Alarm(_, never) => match *never {},
        }
    }

    fn resolve(mail: &Mail, found: &Resolution) -> Result<(Milestone, MailAnswer), Impossible> {
        effects::resolve(mail, found)
    }

    async fn load(&self, tx: &mut Tx, inputs: &[&Input<Self>]) -> Result<World, StoreError> {
        World::load(tx, inputs).await
    }

    async fn save(&self, tx: &mut Tx, world: &World) -> Result<(), StoreError> {
        world.notifications.save(tx).await
    }
}

/// What the notification service does in reaction to one input.
pub type Out = Reaction<NotificationService>;

/// The settings that only the notification service has.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// The mail server.
    pub smtp: SmtpConfig,
}

/// See [`Config::smtp`].
#[derive(Debug, Clone, Deserialize)]
pub struct SmtpConfig {
    /// `smtp://HOST:PORT`, or `smtps://HOST:PORT`, which is encrypted from the start.
    pub url: String,
    /// Whether an `smtp://` connection is encrypted by STARTTLS.
    pub starttls: StartTls,
    /// A file with the CA certificates to trust; empty for those of the system.
    pub certificates: String,
    /// The user to log in as; empty if the server asks for no login. Only with TLS.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// The sender's address. Its domain is also the domain of the Message-IDs.
    pub from: String,
}

/// Whether STARTTLS encrypts a connection to `smtp://`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartTls {
    /// STARTTLS is not used.
    Off,
    /// No mail is sent before the connection is encrypted.
    Required,
}

impl Service for NotificationService {
    const CONFIG: &'static str = include_str!("../config.toml");
    type Config = Config;

    fn open(config: &Config) -> anyhow::Result<(Self, Arc<dyn Outside<Self>>)> {
        let mailer = effects::SmtpMailer::new(&config.smtp)?;
        Ok((Self, Arc::new(Providers(Arc::new(mailer)))))
    }

    fn migrations() -> Migrations {
        quintet::migrations!("migrations")
    }

    fn routes() -> OpenApiRouter<App<Self>> {
        http::routes()
    }

    fn tables() -> Vec<Box<dyn Listed>> {
        vec![TableOf::<Notification>::listed()]
    }
}
