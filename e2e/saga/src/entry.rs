use event::EffectId;

/// An entry of the providers' ledger.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is described by its type")]
pub enum Entry {
    Charge(audit::Charge),
    Refund(audit::Refund),
    Booking(audit::Booking),
    Mail(audit::Mail),
}

/// The idempotency key of an effect, as it stands in the ledger.
pub(crate) fn key(id: EffectId) -> String {
    id.to_string()
}
