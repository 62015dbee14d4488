//! The outside world in memory: gateway, carrier and mail server with a ledger. The sandbox's code decides what they
//! answer.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use contracts::OrderId;
use engine::{Attempt, Resolution};
use event::{EffectId, Trace};
use notification::{Mail, MailAnswer, Mailer};
use payment::{Charge, ChargeAnswer, Gateway, Refund, RefundAnswer};
use quintet_test::simulation::{Environment, Faulty, Provider, Providers};
use sandbox::{
    carrier,
    ledger::{Books, Entry, Keyed, Kind, Outcome, Status},
    payment as gateway,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use shipping::{Book, BookAnswer, Carrier};

/// The mail server refuses recipients of this domain.
pub const BOUNCE: &str = "bounce.example";

/// All providers with one ledger. They fail and lose answers as the simulation draws it.
pub struct OutsideWorld(Faulty<Desk>);

/// The state of the providers.
#[derive(Default)]
struct Desk {
    books: Books,
    mails: BTreeMap<String, audit::Mail>,
}

/// A request to a provider.
enum Request {
    Charge(Keyed<gateway::Charge>),
    Refund(Keyed<gateway::Refund>),
    Book(Keyed<carrier::Booking>),
    Mail(audit::Mail),
}

/// A provider's answer.
enum Answer {
    Entry(Entry),
    Mail(MailAnswer),
}

impl Providers for OutsideWorld {
    fn arrive(&self) -> bool {
        self.0.arrive()
    }

    fn look_up(&self, effect: EffectId, name: &str) -> Resolution {
        self.0.look_up(effect, name)
    }
}

impl Provider for Desk {
    type Request = Request;
    type Answer = Answer;

    fn key(request: &Request) -> String {
        match request {
            Request::Charge(sent) => sent.key.clone(),
            Request::Refund(sent) => sent.key.clone(),
            Request::Book(sent) => sent.key.clone(),
            Request::Mail(mail) => mail.message_id.split('@').next().unwrap_or_default().to_owned(),
        }
    }

    fn answer(&mut self, request: &Request) -> Result<Answer, &'static str> {
        let outcome = match request {
            Request::Charge(sent) => gateway::charge(&mut self.books, sent),
            Request::Refund(sent) => gateway::refund(&mut self.books, sent),
            Request::Book(sent) => carrier::book(&mut self.books, sent),
            Request::Mail(mail) => return Ok(Answer::Mail(self.mail(mail))),
        };
        match outcome {
            Outcome::Answered(entry) => Ok(Answer::Entry(entry)),
            Outcome::AnswerLost => Err("carried out, but the answer is lost"),
            Outcome::TurnedAway => Err("503"),
            Outcome::Rejected(_) | Outcome::Stored => Err("422"),
        }
    }

    fn words(answer: &Answer) -> String {
        match answer {
            Answer::Entry(entry) => format!("{:?}", entry.status).to_lowercase(),
            Answer::Mail(MailAnswer::Sent { .. }) => "sent".to_owned(),
            Answer::Mail(MailAnswer::Refused { .. }) => "refused".to_owned(),
        }
    }

    fn look_up(&self, effect: EffectId, name: &str) -> Option<Resolution> {
        let (key, message_id) = (effect.to_string(), message_id(effect));
        if self.mails.contains_key(&message_id) {
            return Some(resolution("sent", Some(message_id), None));
        }
        let kind = match name.split('-').next() {
            Some("charge") => Kind::Charge,
            Some("refund") => Kind::Refund,
            _ => Kind::Booking,
        };
        let mut entries = self.books.entries();
        let entry = entries.find(|entry| entry.kind == kind && entry.idempotency_key == key)?;
        let outcome = format!("{:?}", entry.status).to_lowercase();
        Some(resolution(&outcome, entry.reference.clone(), entry.reason.clone()))
    }
}

impl OutsideWorld {
    /// The providers of a run, with an empty ledger.
    pub fn new(environment: Arc<Environment>) -> Self {
        Self(Faulty::new(environment, Desk::default()))
    }

    /// The ledger so far.
    ///
    /// # Errors
    /// If the auditor cannot read an entry.
    pub fn ledger(&self) -> serde_json::Result<audit::Ledger> {
        self.0.read(|desk| {
            let entries_of = |kind: Kind| -> Value {
                let entries = desk.books.entries().filter(|entry| entry.kind == kind);
                entries.map(|entry| json!(entry)).collect()
            };
            Ok(audit::Ledger {
                charges: serde_json::from_value(entries_of(Kind::Charge))?,
                refunds: serde_json::from_value(entries_of(Kind::Refund))?,
                bookings: serde_json::from_value(entries_of(Kind::Booking))?,
                mails: desk.mails.values().cloned().collect(),
            })
        })
    }

    /// Checks that no order is charged twice, and none is refunded more often than it was charged.
    ///
    /// # Errors
    /// Names the first order for which this is not so.
    pub fn money_moved_once(&self) -> Result<(), String> {
        self.each_order(|order, done| match (done.captured, done.refunded) {
            (captured, _) if captured > 1 => {
                Err(format!("order {order} was charged {captured} times"))
            }
            (captured, refunded) if refunded > captured => {
                Err(format!("order {order} was refunded {refunded} times"))
            }
            _ => Ok(()),
        })
    }

    /// Checks that no order is shipped twice.
    ///
    /// # Errors
    /// Names the first order for which this is not so.
    pub fn shipped_once(&self) -> Result<(), String> {
        self.each_order(|order, Done { booked, .. }| match booked {
            0 | 1 => Ok(()),
            booked => Err(format!("order {order} was shipped {booked} times")),
        })
    }

    /// Checks that no order is shipped and refunded.
    ///
    /// # Errors
    /// Names the first order for which this is not so.
    pub fn shipped_or_refunded(&self) -> Result<(), String> {
        self.each_order(|order, Done { booked, refunded, .. }| {
            let is_violated = booked > 0 && refunded > 0;
            if is_violated {
                Err(format!("order {order} was shipped and refunded"))
            } else {
                Ok(())
            }
        })
    }

    /// Checks each order and returns the first violation.
    fn each_order(&self, check: impl Fn(&str, Done) -> Result<(), String>) -> Result<(), String> {
        self.0.read(|desk| {
            let mut orders: BTreeMap<&str, Done> = BTreeMap::new();
            for entry in desk.books.entries() {
                let done = orders.entry(&entry.order_id).or_default();
                done.captured += usize::from(entry.status == Status::Captured);
                done.refunded += usize::from(entry.status == Status::Refunded);
                done.booked += usize::from(entry.status == Status::Booked);
            }
            let name = |order| self.0.environment().name_of_key(order);
            orders.into_iter().try_for_each(|(order, done)| check(&name(order), done))
        })
    }

    fn name(&self, order: OrderId) -> String {
        self.0.environment().name(order.uuid())
    }

    /// Sends a request. Its JSON is parsed into the sandbox's own type, as the sandbox would parse it.
    fn ask<B: Serialize + DeserializeOwned>(
        &self,
        what: &str,
        key: EffectId,
        body: Value,
        request: fn(Keyed<B>) -> Request,
    ) -> Attempt<Entry> {
        let body = match serde_json::from_value(body) {
            Ok(body) => body,
            Err(error) => return Attempt::NoAnswer(error.to_string()),
        };
        match self.0.ask(what, request(Keyed::new(key.to_string(), body))) {
            Attempt::Answered(Answer::Entry(entry)) => Attempt::Answered(entry),
            Attempt::Answered(Answer::Mail(_)) => {
                Attempt::NoAnswer("the answer to another kind of request".to_owned())
            }
            Attempt::NoAnswer(why) => Attempt::NoAnswer(why),
            Attempt::Refused(why) => Attempt::Refused(why),
        }
    }
}

/// How often each thing was done for an order.
#[derive(Clone, Copy, Default)]
struct Done {
    captured: usize,
    refunded: usize,
    booked: usize,
}

impl Desk {
    fn mail(&mut self, mail: &audit::Mail) -> MailAnswer {
        if mail.to.ends_with(BOUNCE) {
            return MailAnswer::Refused { reason: "no such mailbox".to_owned() };
        }
        let message_id = mail.message_id.clone();
        let stored = self.mails.entry(message_id.clone()).or_insert_with(|| mail.clone());
        stored.copies += 1;
        MailAnswer::Sent { message_id }
    }
}

fn message_id(key: EffectId) -> String {
    format!("{key}@shop.example")
}

fn resolution(outcome: &str, reference: Option<String>, reason: Option<String>) -> Resolution {
    Resolution { outcome: outcome.to_owned(), reference, reason }
}

fn reason(entry: Entry) -> String {
    entry.reason.unwrap_or_default()
}

#[async_trait]
impl Gateway for OutsideWorld {
    async fn charge(&self, key: EffectId, charge: &Charge, _: &Trace) -> Attempt<ChargeAnswer> {
        let body = json!({
            "order_id": charge.order_id,
            "amount_minor": charge.amount.amount_minor,
            "currency": charge.amount.currency,
            "token": charge.token,
        });
        let what = format!("charge {}", self.name(charge.order_id));
        self.ask(&what, key, body, Request::Charge).map(|entry| match entry {
            Entry { status: Status::Captured, reference: Some(reference), .. } => {
                ChargeAnswer::Captured { reference }
            }
            entry => ChargeAnswer::Declined { reason: reason(entry) },
        })
    }

    async fn refund(&self, key: EffectId, refund: &Refund, _: &Trace) -> Attempt<RefundAnswer> {
        let body = json!({
            "order_id": refund.order_id,
            "amount_minor": refund.amount.amount_minor,
            "currency": refund.amount.currency,
            "charge": refund.charge,
        });
        let what = format!("refund {}", self.name(refund.order_id));
        self.ask(&what, key, body, Request::Refund).map(|entry| match entry {
            Entry { status: Status::Refunded, reference: Some(reference), .. } => {
                RefundAnswer::Refunded { reference }
            }
            entry => RefundAnswer::Refused { reason: reason(entry) },
        })
    }
}

#[async_trait]
impl Carrier for OutsideWorld {
    async fn book(&self, key: EffectId, book: &Book, _: &Trace) -> Attempt<BookAnswer> {
        let body = json!({
            "order_id": book.order_id,
            "address": book.address,
            "items": book.items,
        });
        let what = format!("book {}", self.name(book.order_id));
        self.ask(&what, key, body, Request::Book).map(|entry| match entry {
            Entry { status: Status::Booked, reference: Some(tracking), .. } => {
                BookAnswer::Booked { tracking }
            }
            entry => BookAnswer::Refused { reason: reason(entry) },
        })
    }
}

#[async_trait]
impl Mailer for OutsideWorld {
    async fn send(&self, key: EffectId, mail: &Mail) -> Attempt<MailAnswer> {
        let milestone = mail.milestone.as_str();
        let what = format!("mail {} {milestone}", self.name(mail.order_id));
        let sent = audit::Mail {
            order_id: Some(mail.order_id.to_string()),
            message_id: message_id(key),
            to: mail.to.clone(),
            subject: milestone.to_owned(),
            copies: 0,
        };
        match self.0.ask(&what, Request::Mail(sent)) {
            Attempt::Answered(Answer::Mail(answer)) => Attempt::Answered(answer),
            Attempt::Answered(Answer::Entry(_)) => {
                Attempt::NoAnswer("the answer to another kind of request".to_owned())
            }
            Attempt::NoAnswer(why) => Attempt::NoAnswer(why),
            Attempt::Refused(why) => Attempt::Refused(why),
        }
    }
}
