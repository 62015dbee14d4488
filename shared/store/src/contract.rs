//! The contract's own types as columns (they live elsewhere, so this has to live here).

use contracts::{CancelReason, Currency, EffectId, EventId, Milestone, OrderId, Sku};

use crate::{Field, Kind, Row, StoreError, Value, text_field, uuid_field};

uuid_field!(OrderId, EventId, EffectId);
text_field!(CancelReason, Milestone);

macro_rules! parsed_field {
    ($($type:ty),+) => {$(
        impl Field for $type {
            const KIND: Kind = Kind::Text;
            fn into_value(self) -> Value {
                Value::Text(self.as_str().to_owned().into())
            }
            fn read(row: &Row, index: usize) -> Result<Option<Self>, StoreError> {
                let Some(text) = String::read(row, index)? else { return Ok(None) };
                text.parse().map(Some).map_err(|_| StoreError::Column {
                    column: index,
                    value: text,
                    expected: stringify!($type),
                })
            }
        }
    )+};
}

parsed_field!(Sku, Currency);
