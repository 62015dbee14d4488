use quintet::http::CommandResponse;

use crate::{CancelOrder, End, Order, PlaceOrder, Refusal};

/// A request to the order service.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Take this order.
    Place(Box<PlaceOrder>),
    /// Cancel this order.
    Cancel(CancelOrder),
}

/// The answer to a [`Command`].
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The command was carried out: the order as it is now.
    Order(Box<Order>),
    /// The request is a repeat: the response that the first one got.
    Repeat(CommandResponse),
    /// The order cannot be taken.
    Refused(Refusal),
    /// There is no such order.
    Unknown,
    /// The order has ended.
    Ended(End),
}
