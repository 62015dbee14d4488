/// A service of the order saga, named as the publisher of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Publisher {
    /// Takes orders and follows them to their end.
    Order,
    /// Manages the stock.
    Inventory,
    /// Charges and refunds.
    Payment,
    /// Books parcels, and decides whether one can still be stopped.
    Shipping,
    /// Sends mails.
    Notification,
}

impl Publisher {
    /// The service's name, such as `order`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
