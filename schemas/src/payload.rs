//! Parts of the events' data.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Sku;

/// The customer of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Customer {
    /// The e-mail address.
    pub email: String,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Item {
    /// The product.
    pub sku: Sku,
    /// How many pieces, 1 to 10^8.
    pub quantity: i64,
}

/// A postal address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Address {
    /// The addressee.
    pub name: String,
    /// Street and number.
    pub street: String,
    /// City.
    pub city: String,
    /// Postal code.
    pub postal_code: String,
    /// Country.
    pub country: String,
}

/// A means of payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentMethod {
    /// The payment provider's token for the means of payment.
    pub token: String,
}

/// A product that is out of stock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shortage {
    /// The product.
    pub sku: Sku,
    /// How many pieces were ordered.
    pub requested: i64,
    /// How many pieces were available.
    pub available: i64,
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

words! {
    /// Why an order is cancelled.
    CancelReason {
        /// Something ordered is not in stock.
        OutOfStock,
        /// The payment was declined.
        PaymentDeclined,
        /// The carrier refused the parcel.
        ShipmentFailed,
        /// The customer requested it.
        CustomerRequest,
        /// The order took too long.
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
    fn a_word_is_the_same_in_json_and_in_text() {
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
