//! The carrier: books every parcel except those to postal code `00000`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::http::Body;
use crate::ledger::{Books, Entry, Keyed, Kind, Outcome, Status};
use crate::problem::Problem;
use crate::reference;

/// The postal code to which the carrier does not ship.
const NO_SERVICE: &str = "00000";

/// A parcel to a postal code with this prefix is poisoned: booked, unless the knob `poison` says otherwise.
const POISONED: &str = "66666";

/// `POST /bookings`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Booking {
    /// The order that is shipped.
    pub order_id: Uuid,
    /// The address to ship to.
    pub address: Address,
    /// The contents: at least one line.
    pub items: Vec<Item>,
}

/// A postal address.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of the interface")]
pub struct Address {
    pub name: String,
    pub street: String,
    pub city: String,
    pub postal_code: String,
    pub country: String,
}

/// One line of a parcel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Item {
    /// The stock keeping unit.
    pub sku: String,
    /// How many, at least 1.
    pub quantity: i64,
}

impl Body for Booking {
    fn check(&self) -> Result<(), Problem> {
        if self.items.is_empty() {
            return Err(Problem::unprocessable(
                "items",
                "a parcel without items",
                "send at least one item",
            ));
        }
        if let Some(at) = self.items.iter().position(|item| item.quantity < 1) {
            return Err(Problem::unprocessable(
                &format!("items[{at}].quantity"),
                format!("{} is not a quantity", self.items[at].quantity),
                "send a whole number above 0",
            ));
        }
        Ok(())
    }

    fn is_poisoned(&self) -> bool {
        self.address.postal_code.trim().starts_with(POISONED)
    }
}

/// Books a parcel or refuses it.
pub fn book(books: &mut Books, sent: &Keyed<Booking>) -> Outcome {
    if let Some(outcome) = books.repeat(Kind::Booking, sent) {
        return outcome;
    }
    let mut entry = Entry::new(Kind::Booking, sent, sent.body.order_id, Status::Booked);
    if sent.body.address.postal_code.trim() == NO_SERVICE {
        entry.status = Status::Refused;
        entry.reason = Some("no_service_to_postal_code".to_owned());
    } else {
        entry.reference = Some(reference("QT", &sent.key).to_uppercase());
    }
    books.enter(entry)
}
