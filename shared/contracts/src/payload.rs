//! What each event says: the data of the latest version of its schema.

use serde::{Deserialize, Serialize};

use crate::{Money, OrderId, Sku};

macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    )*};
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* })*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize,
            strum::IntoStaticStr, strum::EnumString, strum::Display, strum::VariantArray,
            utoipa::ToSchema,
        )]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// The word in JSON, in `snake_case`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                self.into()
            }
        }
    )*};
}

payloads! {
    /// A product's full state; an older version than the known one is ignored.
    ProductListed {
        /// The product.
        sku: Sku,
        /// What a customer reads.
        name: String,
        /// The price of one piece.
        price: Money,
        /// Counts the product's changes.
        version: i64,
    }
    /// An order was accepted; its prices are fixed. The only event with personal data.
    OrderPlaced {
        /// The order.
        order_id: OrderId,
        /// Who ordered.
        customer: Customer,
        /// What was ordered, each SKU once.
        items: Vec<Item>,
        /// Where it goes.
        shipping_address: Address,
        /// What pays.
        payment: PaymentMethod,
        /// What it costs.
        total: Money,
    }
    /// Who ordered.
    Customer {
        /// Where mail goes.
        email: String,
    }
    /// One line of an order.
    Item {
        /// The product.
        sku: Sku,
        /// How many pieces, 1 to 10^8.
        quantity: i64,
    }
    /// Where a parcel goes.
    Address {
        /// The addressee.
        name: String,
        /// Street and number.
        street: String,
        /// City.
        city: String,
        /// Postal code.
        postal_code: String,
        /// Country.
        country: String,
    }
    /// What pays for an order.
    PaymentMethod {
        /// The payment provider's token for it.
        token: String,
    }
    /// All lines of the order are reserved.
    StockReserved {
        /// The order.
        order_id: OrderId,
    }
    /// Nothing was reserved, because something is missing.
    StockRejected {
        /// The order.
        order_id: OrderId,
        /// What is missing.
        missing: Vec<Shortage>,
    }
    /// A product of which there is too little.
    Shortage {
        /// The product.
        sku: Sku,
        /// How many pieces were asked for.
        requested: i64,
        /// How many could have been had.
        available: i64,
    }
    /// Nothing is reserved for the order any more.
    StockReleased {
        /// The order.
        order_id: OrderId,
    }
    /// The payment was captured.
    PaymentCaptured {
        /// The order.
        order_id: OrderId,
        /// What was captured.
        amount: Money,
        /// The payment provider's reference.
        reference: String,
    }
    /// The payment was declined; nothing was captured.
    PaymentDeclined {
        /// The order.
        order_id: OrderId,
        /// The payment provider's reason.
        reason: String,
    }
    /// What was captured went back.
    PaymentRefunded {
        /// The order.
        order_id: OrderId,
        /// What was refunded.
        amount: Money,
        /// The payment provider's reference.
        reference: String,
    }
    /// Nothing was captured and nothing will be.
    PaymentVoided {
        /// The order.
        order_id: OrderId,
    }
    /// The parcel is on its way.
    ShipmentDispatched {
        /// The order.
        order_id: OrderId,
        /// The carrier's tracking number.
        tracking: String,
    }
    /// The carrier refused the parcel.
    ShipmentFailed {
        /// The order.
        order_id: OrderId,
        /// The carrier's reason.
        reason: String,
    }
    /// The parcel was stopped; nothing will be shipped.
    ShipmentVoided {
        /// The order.
        order_id: OrderId,
    }
    /// Someone asks to cancel; shipping decides whether it can still be done.
    OrderCancellationRequested {
        /// The order.
        order_id: OrderId,
        /// Who asks: `CustomerRequest` or `Deadline`.
        reason: CancelReason,
    }
    /// The order ended well.
    OrderCompleted {
        /// The order.
        order_id: OrderId,
    }
    /// The order ended cancelled, and all was undone.
    OrderCancelled {
        /// The order.
        order_id: OrderId,
        /// The first cause.
        reason: CancelReason,
    }
    /// The mail of a milestone was handed over.
    NotificationSent {
        /// The order.
        order_id: OrderId,
        /// What the mail is about.
        milestone: Milestone,
        /// The mail's Message-ID.
        message_id: String,
    }
    /// The mail of a milestone was refused for good.
    NotificationFailed {
        /// The order.
        order_id: OrderId,
        /// What the mail is about.
        milestone: Milestone,
        /// The mail server's reason.
        reason: String,
    }
}

words! {
    /// Why an order is cancelled.
    CancelReason {
        /// Something ordered is not in stock.
        OutOfStock,
        /// The payment was declined.
        PaymentDeclined,
        /// The carrier refused the parcel.
        ShipmentFailed,
        /// The customer wished it.
        CustomerRequest,
        /// It took too long.
        Deadline,
    }
    /// What a customer gets a mail about.
    Milestone {
        /// The order was accepted.
        Placed,
        /// The order is on its way.
        Completed,
        /// The order was cancelled.
        Cancelled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::VariantArray;

    #[test]
    fn a_word_is_the_same_in_json_in_text_and_back() {
        for reason in CancelReason::VARIANTS {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert_eq!(reason.to_string().parse(), Ok(*reason));
        }
        for milestone in Milestone::VARIANTS {
            assert_eq!(serde_json::to_value(milestone).unwrap(), milestone.as_str());
            assert_eq!(milestone.to_string().parse(), Ok(*milestone));
        }
        assert_eq!(CancelReason::OutOfStock.as_str(), "out_of_stock");
    }
}
