//! The payment gateway. The token decides what happens, like the test cards of a real provider.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::http::Body;
use crate::ledger::{Books, Entry, Keyed, Kind, Outcome, Status};
use crate::problem::Problem;
use crate::reference;

/// How often a key with `tok_flaky` fails.
const FLAKY_TIMES: i64 = 2;

/// A charge of a token with this prefix is poisoned: captured, unless the knob `poison` says otherwise.
const POISONED: &str = "tok_poisoned";

/// `POST /charges`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Charge {
    /// The order to be paid.
    pub order_id: Uuid,
    /// The amount in the currency's minor units, above 0.
    pub amount_minor: i64,
    /// An ISO 4217 code.
    pub currency: String,
    /// The customer's means of payment.
    pub token: String,
}

/// `POST /refunds`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refund {
    /// The order that was paid.
    pub order_id: Uuid,
    /// The amount in the currency's minor units, above 0.
    pub amount_minor: i64,
    /// An ISO 4217 code, the charge's.
    pub currency: String,
    /// The charge's reference.
    pub charge: String,
}

impl Body for Charge {
    fn check(&self) -> Result<(), Problem> {
        check_money(self.amount_minor, &self.currency)
    }

    fn is_poisoned(&self) -> bool {
        self.token.starts_with(POISONED)
    }
}

impl Body for Refund {
    fn check(&self) -> Result<(), Problem> {
        check_money(self.amount_minor, &self.currency)
    }
}

fn check_money(amount_minor: i64, currency: &str) -> Result<(), Problem> {
    if amount_minor < 1 {
        return Err(Problem::unprocessable(
            "amount_minor",
            format!("{amount_minor} is not an amount"),
            "send a whole number of minor units above 0",
        ));
    }
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(Problem::unprocessable(
            "currency",
            format!("{currency:?} is not a currency"),
            "send an ISO 4217 code such as EUR",
        ));
    }
    Ok(())
}

/// Charges money or declines.
pub fn charge(books: &mut Books, sent: &Keyed<Charge>) -> Outcome {
    if let Some(outcome) = books.repeat(Kind::Charge, sent) {
        return outcome;
    }
    match sent.body.token.as_str() {
        "tok_ok" => capture(books, sent, 0),
        token if token.starts_with(POISONED) => capture(books, sent, 0),
        "tok_unknown" => {
            capture(books, sent, 0);
            Outcome::AnswerLost
        }
        "tok_flaky" => {
            let times = books.turned_away(&sent.key);
            if *times < FLAKY_TIMES {
                *times += 1;
                return Outcome::TurnedAway;
            }
            capture(books, sent, 0)
        }
        "tok_refund_refused" => capture(books, sent, 1),
        "tok_declined" => decline(books, sent, "card_declined"),
        _ => decline(books, sent, "unknown_token"),
    }
}

fn capture(books: &mut Books, sent: &Keyed<Charge>, refusals_due: i64) -> Outcome {
    books.enter(Entry {
        reference: Some(reference("ch_", &sent.key)),
        refusals_due,
        ..charge_entry(sent, Status::Captured)
    })
}

fn decline(books: &mut Books, sent: &Keyed<Charge>, reason: &str) -> Outcome {
    books.enter(Entry { reason: Some(reason.to_owned()), ..charge_entry(sent, Status::Declined) })
}

fn charge_entry(sent: &Keyed<Charge>, status: Status) -> Entry {
    Entry {
        amount_minor: Some(sent.body.amount_minor),
        currency: Some(sent.body.currency.clone()),
        ..Entry::new(Kind::Charge, sent, sent.body.order_id, status)
    }
}

/// Refunds money or refuses.
pub fn refund(books: &mut Books, sent: &Keyed<Refund>) -> Outcome {
    if let Some(outcome) = books.repeat(Kind::Refund, sent) {
        return outcome;
    }
    let request = &sent.body;
    let Some(charge) = books.charge(&request.charge) else {
        return Outcome::Rejected(Problem::unprocessable(
            "charge",
            format!("no captured charge has the reference {:?}", request.charge),
            "send the reference of a captured charge",
        ));
    };
    if let Err(problem) = belongs(request, charge) {
        return Outcome::Rejected(problem);
    }
    let mut entry = Entry {
        amount_minor: Some(request.amount_minor),
        currency: Some(request.currency.clone()),
        ..Entry::new(Kind::Refund, sent, request.order_id, Status::Refused)
    };
    let left = charge.amount_minor.unwrap_or_default() - charge.refunded_minor;
    if charge.refusals_due > 0 {
        charge.refusals_due -= 1;
        entry.reason = Some("refused_by_issuer".to_owned());
    } else if request.amount_minor > left {
        entry.reason = Some("already_refunded".to_owned());
    } else {
        charge.refunded_minor += request.amount_minor;
        entry.status = Status::Refunded;
        entry.reference = Some(reference("re_", &sent.key));
    }
    books.enter(entry)
}

fn belongs(request: &Refund, charge: &Entry) -> Result<(), Problem> {
    if charge.order_id != request.order_id.to_string() {
        return Err(Problem::unprocessable(
            "order_id",
            format!("the charge {:?} belongs to another order", request.charge),
            "send the order of the charge",
        ));
    }
    if charge.currency.as_deref() != Some(&request.currency) {
        return Err(Problem::unprocessable(
            "currency",
            format!("the charge {:?} has another currency", request.charge),
            "send the currency of the charge",
        ));
    }
    Ok(())
}
