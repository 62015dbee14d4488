use std::collections::BTreeSet;

use contracts::{Address, Customer, Item, PaymentMethod, Sku};
use serde::Deserialize;
use service::http::{Fields, Problem, object, objects, text_schema};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Array, ArrayBuilder, ObjectBuilder, Type},
};

/// Lines of an order.
const MOST_LINES: usize = 100;
/// Pieces of a line, whatever is configured.
pub(crate) const MOST_PIECES: i64 = 100_000_000;
/// The longest texts, in characters. An e-mail address: RFC 5321 §4.5.3.1.3.
const LONGEST_EMAIL: usize = 254;
const LONGEST_TEXT: usize = 200;

/// An order to be taken.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewOrder {
    /// Who orders.
    #[serde(deserialize_with = "object")]
    #[schema(schema_with = customer)]
    pub(super) customer: Customer,
    /// What: each SKU once, all in one currency.
    #[serde(deserialize_with = "objects")]
    #[schema(schema_with = items)]
    pub(super) items: Vec<Item>,
    /// Where it goes.
    #[serde(deserialize_with = "object")]
    #[schema(schema_with = address)]
    pub(super) shipping_address: Address,
    /// What pays.
    #[serde(deserialize_with = "object")]
    #[schema(schema_with = payment)]
    pub(super) payment: PaymentMethod,
}

impl NewOrder {
    /// What the types let through and no order can have.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let mut fields = Fields::default();
        let email = &self.customer.email;
        fields.at("/customer/email").text(email, LONGEST_EMAIL);
        fields.at("/customer/email").must(is_email(email), "must be an e-mail address: name@host");
        let lines = (1..=MOST_LINES).contains(&self.items.len());
        fields.at("/items").must(lines, &format!("must have 1 to {MOST_LINES} lines"));
        let mut skus = BTreeSet::new();
        for (line, item) in self.items.iter().enumerate() {
            let pieces = (1..=MOST_PIECES).contains(&item.quantity);
            let otherwise = format!("must be 1 to {MOST_PIECES}");
            fields.at(format!("/items/{line}/quantity")).must(pieces, &otherwise);
            let otherwise = "stands in an earlier line too; add the quantities up in one line";
            fields.at(format!("/items/{line}/sku")).must(skus.insert(&item.sku), otherwise);
        }
        let address = &self.shipping_address;
        for (name, text) in [
            ("name", &address.name),
            ("street", &address.street),
            ("city", &address.city),
            ("postal_code", &address.postal_code),
            ("country", &address.country),
        ] {
            fields.at(format!("/shipping_address/{name}")).text(text, LONGEST_TEXT);
        }
        fields.at("/payment/token").text(&self.payment.token, LONGEST_TEXT);
        fields.finish()
    }
}

/// As much as can be said without asking the mail server.
fn is_email(text: &str) -> bool {
    let blank = |c: char| c.is_whitespace() || c.is_control();
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty()) && !text.contains(blank)
}

// The same, for the description of the interface.

fn customer() -> ObjectBuilder {
    let email = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(LONGEST_EMAIL))
        .pattern(Some(r"^[^\s\u0000-\u001f\u007f-\u009f]+@[^@\s\u0000-\u001f\u007f-\u009f]+$"))
        .description(Some("Where mail goes."));
    ObjectBuilder::new().property("email", email).required("email")
}

fn items() -> Array {
    let quantity = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(MOST_PIECES))
        .description(Some("How many pieces."));
    let item = ObjectBuilder::new()
        .property("sku", Sku::schema())
        .required("sku")
        .property("quantity", quantity)
        .required("quantity");
    ArrayBuilder::new().items(item).min_items(Some(1)).max_items(Some(MOST_LINES)).build()
}

fn address() -> ObjectBuilder {
    let fields = ["name", "street", "city", "postal_code", "country"];
    fields.into_iter().fold(ObjectBuilder::new(), |address, field| {
        address.property(field, text_schema(LONGEST_TEXT)).required(field)
    })
}

fn payment() -> ObjectBuilder {
    ObjectBuilder::new().property("token", text_schema(LONGEST_TEXT)).required("token")
}
