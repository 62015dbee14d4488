//! The contract's types as columns of a table.

use crate::{CancelReason, Currency, Milestone, OrderId, Sku};

store::uuid_field!(OrderId);
store::text_field!(CancelReason, Milestone);
store::parsed_field!(Sku, Currency);
