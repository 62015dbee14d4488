//! The outside world: gateway, carrier and mail server with a ledger in memory. The sandbox's own
//! code decides what each answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use contracts::{EffectId, Trace};
use engine::{Attempt, Resolution};
use notification::{Mail, MailAnswer, Mailer};
use payment::{Charge, ChargeAnswer, Gateway, Refund, RefundAnswer};
use sandbox::{
    carrier,
    ledger::{Books, Entry, Keyed, Kind, Outcome, Status},
    payment as gateway,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use shipping::{Book, BookAnswer, Carrier};

use crate::{schedule::Trouble, stage::Stage};

/// Recipients there are refused.
pub(crate) const BOUNCE: &str = "bounce.example";

/// All providers, with one ledger.
pub(crate) struct World {
    stage: Arc<Stage>,
    desk: Mutex<Desk>,
}

#[derive(Default)]
struct Desk {
    books: Books,
    mails: BTreeMap<String, audit::Mail>,
    /// Requests that are still on their way, though nobody waits for them any more.
    late: Vec<(String, Request)>,
    /// Keys that an operator had barred: whatever comes under them is refused.
    barred: BTreeSet<String>,
}

/// What a provider is asked.
enum Request {
    Charge(Keyed<gateway::Charge>),
    Refund(Keyed<gateway::Refund>),
    Book(Keyed<carrier::Booking>),
    Mail(audit::Mail),
}

/// What it says to that, in the story's words.
enum Said {
    Entry(Entry),
    Mail(MailAnswer),
    Nothing(&'static str),
}

impl World {
    pub(crate) fn new(stage: Arc<Stage>) -> Self {
        Self { stage, desk: Mutex::default() }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks; without an answer, why there is none.
    fn ask(&self, what: &str, request: Request) -> Result<Said, NoAnswer> {
        let trouble = self.stage.trouble();
        let (told, said) = match trouble {
            Some(Trouble::Refused) => ("503".to_owned(), Err(NoAnswer::Unclear("503".to_owned()))),
            Some(Trouble::Malformed) => {
                ("400".to_owned(), Err(NoAnswer::Malformed("400".to_owned())))
            }
            Some(Trouble::Late) => {
                self.desk().late.push((what.to_owned(), request));
                (
                    "no answer, it is late".to_owned(),
                    Err(NoAnswer::Unclear("no answer in time".to_owned())),
                )
            }
            _ => {
                let said = self.desk().play(&request);
                match (trouble, said) {
                    (_, Said::Nothing(why)) => {
                        (why.to_owned(), Err(NoAnswer::Unclear(why.to_owned())))
                    }
                    (None, said) => (said.words(), Ok(said)),
                    (Some(_), said) => (
                        format!("{}, the answer is lost", said.words()),
                        Err(NoAnswer::Unclear("504".to_owned())),
                    ),
                }
            }
        };
        self.stage.note(format!("{what} → {told}"));
        said
    }

    /// What an operator finds about a held request at the provider. If there is nothing, the operator has its key
    /// barred there.
    pub(crate) fn look_up(&self, effect: EffectId, name: &str) -> Resolution {
        let (key, mut desk) = (effect.to_string(), self.desk());
        let message_id = message_id(effect);
        if desk.mails.contains_key(&message_id) {
            return resolution("sent", Some(message_id), None);
        }
        let kind = match name.split('-').next() {
            Some("charge") => Kind::Charge,
            Some("refund") => Kind::Refund,
            _ => Kind::Booking,
        };
        let mut entries = desk.books.entries();
        let entry = entries.find(|entry| entry.kind == kind && entry.idempotency_key == key);
        if let Some(entry) = entry {
            let outcome = format!("{:?}", entry.status).to_lowercase();
            return resolution(&outcome, entry.reference.clone(), entry.reason.clone());
        }
        drop(entries);
        desk.barred.insert(key);
        resolution(Resolution::NEVER_ARRIVED, None, None)
    }

    /// A request that is on its way arrives; whether there was one.
    pub(crate) fn arrive(&self) -> bool {
        let mut desk = self.desk();
        if desk.late.is_empty() {
            return false;
        }
        let nth = self.stage.dice.index(desk.late.len());
        let (what, request) = desk.late.swap_remove(nth);
        let said = desk.play(&request);
        self.stage.note(format!("{what}, long given up, arrives → {}", said.words()));
        true
    }

    /// What it has done so far.
    pub(crate) fn ledger(&self) -> serde_json::Result<audit::Ledger> {
        let desk = self.desk();
        let of = |kind: Kind| -> Value {
            let entries = desk.books.entries().filter(|entry| entry.kind == kind);
            entries.map(|entry| json!(entry)).collect()
        };
        Ok(audit::Ledger {
            charges: serde_json::from_value(of(Kind::Charge))?,
            refunds: serde_json::from_value(of(Kind::Refund))?,
            bookings: serde_json::from_value(of(Kind::Booking))?,
            mails: desk.mails.values().cloned().collect(),
        })
    }

    /// What may at no moment be: money taken or given back twice, given back of a parcel that goes out.
    pub(crate) fn check(&self) {
        let desk = self.desk();
        let mut done: BTreeMap<&str, Vec<Status>> = BTreeMap::new();
        for entry in desk.books.entries() {
            done.entry(&entry.order_id).or_default().push(entry.status);
        }
        for (order, done) in done {
            let count = |status| done.iter().filter(|done| **done == status).count();
            let name = order.parse().map_or_else(|_| order.to_owned(), |id| self.stage.name(id));
            let (captured, refunded) = (count(Status::Captured), count(Status::Refunded));
            let booked = count(Status::Booked);
            if captured > 1 {
                self.stage.wrong(format!("5: order {name} was charged {captured} times"));
            }
            if refunded > captured {
                self.stage.wrong(format!("5: order {name} was refunded {refunded} times"));
            }
            if booked > 1 {
                self.stage.wrong(format!("2: order {name} was shipped {booked} times"));
            }
            if booked > 0 && refunded > 0 {
                self.stage.wrong(format!("3: order {name} was shipped and refunded"));
            }
        }
    }
}

impl Desk {
    fn play(&mut self, request: &Request) -> Said {
        if self.barred.contains(request.key()) {
            return Said::Nothing("403, the key is barred");
        }
        let outcome = match request {
            Request::Charge(sent) => gateway::charge(&mut self.books, sent),
            Request::Refund(sent) => gateway::refund(&mut self.books, sent),
            Request::Book(sent) => carrier::book(&mut self.books, sent),
            Request::Mail(mail) => return self.mail(mail),
        };
        match outcome {
            Outcome::Answered(entry) => Said::Entry(entry),
            Outcome::AnswerLost => Said::Nothing("done, the answer is lost"),
            Outcome::TurnedAway => Said::Nothing("503"),
            Outcome::Rejected(_) | Outcome::Kept => Said::Nothing("422"),
        }
    }

    fn mail(&mut self, mail: &audit::Mail) -> Said {
        if mail.to.ends_with(BOUNCE) {
            return Said::Mail(MailAnswer::Refused { reason: "no such mailbox".to_owned() });
        }
        let message_id = mail.message_id.clone();
        let kept = self.mails.entry(message_id.clone()).or_insert_with(|| mail.clone());
        kept.copies += 1;
        Said::Mail(MailAnswer::Sent { message_id })
    }
}

impl Said {
    fn words(&self) -> String {
        match self {
            Self::Entry(entry) => format!("{:?}", entry.status).to_lowercase(),
            Self::Mail(MailAnswer::Sent { .. }) => "sent".to_owned(),
            Self::Mail(MailAnswer::Refused { .. }) => "refused".to_owned(),
            Self::Nothing(why) => (*why).to_owned(),
        }
    }
}

impl Request {
    fn key(&self) -> &str {
        match self {
            Self::Charge(sent) => &sent.key,
            Self::Refund(sent) => &sent.key,
            Self::Book(sent) => &sent.key,
            Self::Mail(mail) => mail.message_id.split('@').next().unwrap_or_default(),
        }
    }
}

fn message_id(key: EffectId) -> String {
    format!("{key}@shop.example")
}

fn resolution(outcome: &str, reference: Option<String>, reason: Option<String>) -> Resolution {
    Resolution { outcome: outcome.to_owned(), reference, reason }
}

/// Why a provider said nothing definite.
enum NoAnswer {
    Unclear(String),
    /// The request itself is refused.
    Malformed(String),
}

/// As it would be read at the other end.
fn keyed<T: Serialize + DeserializeOwned>(
    key: EffectId,
    body: Value,
) -> Result<Keyed<T>, NoAnswer> {
    let body =
        serde_json::from_value(body).map_err(|error| NoAnswer::Unclear(error.to_string()))?;
    Ok(Keyed::new(key.to_string(), body))
}

/// The attempt that this was; `None` is no answer of this kind.
fn attempt<T>(said: Result<Said, NoAnswer>, answer: impl FnOnce(Said) -> Option<T>) -> Attempt<T> {
    match said {
        Ok(said) => answer(said)
            .map_or_else(|| Attempt::NoAnswer("another answer".to_owned()), Attempt::Answered),
        Err(NoAnswer::Unclear(why)) => Attempt::NoAnswer(why),
        Err(NoAnswer::Malformed(why)) => Attempt::Refused(why),
    }
}

fn reason(entry: Entry) -> String {
    entry.reason.unwrap_or_default()
}

#[async_trait]
impl Gateway for World {
    async fn charge(&self, key: EffectId, charge: &Charge, _: &Trace) -> Attempt<ChargeAnswer> {
        let body = json!({
            "order_id": charge.order_id,
            "amount_minor": charge.amount.amount_minor,
            "currency": charge.amount.currency,
            "token": charge.token,
        });
        let what = format!("charge {}", self.stage.name(charge.order_id.uuid()));
        let said = keyed(key, body).and_then(|sent| self.ask(&what, Request::Charge(sent)));
        attempt(said, |said| match said {
            Said::Entry(Entry { status: Status::Captured, reference: Some(reference), .. }) => {
                Some(ChargeAnswer::Captured { reference })
            }
            Said::Entry(entry) => Some(ChargeAnswer::Declined { reason: reason(entry) }),
            _ => None,
        })
    }

    async fn refund(&self, key: EffectId, refund: &Refund, _: &Trace) -> Attempt<RefundAnswer> {
        let body = json!({
            "order_id": refund.order_id,
            "amount_minor": refund.amount.amount_minor,
            "currency": refund.amount.currency,
            "charge": refund.charge,
        });
        let what = format!("refund {}", self.stage.name(refund.order_id.uuid()));
        let said = keyed(key, body).and_then(|sent| self.ask(&what, Request::Refund(sent)));
        attempt(said, |said| match said {
            Said::Entry(Entry { status: Status::Refunded, reference: Some(reference), .. }) => {
                Some(RefundAnswer::Refunded { reference })
            }
            Said::Entry(entry) => Some(RefundAnswer::Refused { reason: reason(entry) }),
            _ => None,
        })
    }
}

#[async_trait]
impl Carrier for World {
    async fn book(&self, key: EffectId, book: &Book, _: &Trace) -> Attempt<BookAnswer> {
        let body = json!({
            "order_id": book.order_id,
            "address": book.address,
            "items": book.items,
        });
        let what = format!("book {}", self.stage.name(book.order_id.uuid()));
        let said = keyed(key, body).and_then(|sent| self.ask(&what, Request::Book(sent)));
        attempt(said, |said| match said {
            Said::Entry(Entry { status: Status::Booked, reference: Some(tracking), .. }) => {
                Some(BookAnswer::Booked { tracking })
            }
            Said::Entry(entry) => Some(BookAnswer::Refused { reason: reason(entry) }),
            _ => None,
        })
    }
}

#[async_trait]
impl Mailer for World {
    async fn send(&self, key: EffectId, mail: &Mail) -> Attempt<MailAnswer> {
        let milestone = mail.milestone.as_str();
        let what = format!("mail {} {milestone}", self.stage.name(mail.order_id.uuid()));
        let sent = audit::Mail {
            order_id: Some(mail.order_id.to_string()),
            message_id: message_id(key),
            to: mail.to.clone(),
            subject: milestone.to_owned(),
            copies: 0,
        };
        attempt(self.ask(&what, Request::Mail(sent)), |said| match said {
            Said::Mail(answer) => Some(answer),
            _ => None,
        })
    }
}
