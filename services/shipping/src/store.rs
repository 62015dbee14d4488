use contracts::{Address, Item, OrderId};
use quintet::{Input, Rows, StoreError, Tx, record, store::Json, text_field};

use crate::{Shipment, ShippingService, State};

/// The rows that a batch may touch: one shipment per order.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The shipments.
    pub shipments: Rows<Shipment>,
}

text_field!(State);
record!(Shipment in "shipment": order_id: OrderId, state: State, address: Option<Json<Address>>,
    items: Option<Json<Vec<Item>>>, tracking: Option<String>, reason: Option<String>);

impl World {
    pub(crate) async fn load(
        tx: &mut Tx,
        inputs: &[&Input<ShippingService>],
    ) -> Result<Self, StoreError> {
        let orders = inputs.iter().filter_map(|input| input.aggregate());
        Ok(Self { shipments: Rows::load(tx, orders).await? })
    }
}
