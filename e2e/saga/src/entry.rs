use event::EffectId;

/// An entry of the providers' ledger.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is what its list in the ledger holds")]
pub enum Entry {
    Charge(audit::Charge),
    Refund(audit::Refund),
    Booking(audit::Booking),
    Mail(audit::Mail),
}

/// The idempotency key that a ledger names.
pub(crate) fn key(id: EffectId) -> String {
    id.to_string()
}
