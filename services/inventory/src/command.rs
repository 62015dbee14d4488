use quintet::http::CommandResponse;

use crate::{AddStock, Product, PutProduct};

/// A request to the inventory service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Create or change a product.
    PutProduct(PutProduct),
    /// Add stock.
    AddStock(AddStock),
}

/// The answer to a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The product as it is now, and whether it is new.
    Product(Box<Product>, bool),
    /// The request is a repeat: the response that the first one got.
    Repeat(CommandResponse),
    /// There is no such product.
    Unknown,
    /// The product would have more stock than is allowed.
    TooMuch,
}
