use contracts::{Currency, Event, Item, OrderId, Sku};
use quintet::{Input, Rows, StoreError, Tx, What, record, store::Json, text_field};

use crate::{Command, InventoryService, Out, Product, Reservation, State};

text_field!(State);
record!(Reservation in "reservation": order_id: OrderId, state: State, items: Json<Vec<Item>>);
record!(Product in "product": sku: Sku, name: String, price_minor: i64, currency: Currency,
    version: i64, stocked: i64, on_hand: i64, reserved: i64, shipped: i64);

/// The rows that a batch may touch. Reservations are locked before products.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// One reservation per order.
    pub reservations: Rows<Reservation>,
    /// The products and their stock.
    pub products: Rows<Product>,
}

impl World {
    pub(crate) async fn load(
        tx: &mut Tx,
        inputs: &[&Input<InventoryService>],
    ) -> Result<Self, StoreError> {
        let orders = inputs.iter().filter_map(|input| input.aggregate());
        let reservations = Rows::<Reservation>::load(tx, orders).await?;
        let mut skus: Vec<Sku> = inputs.iter().flat_map(|input| named(input)).collect();
        let reserved = reservations.iter().filter(|row| row.state == State::Reserved);
        skus.extend(reserved.flat_map(|row| row.items.0.iter().map(|item| item.sku.clone())));
        Ok(Self { reservations, products: Rows::load(tx, skus).await? })
    }

    /// Ends an open reservation and changes each of its products; false if there is no open one.
    pub(crate) fn end_reservation(
        &mut self,
        order_id: OrderId,
        state: State,
        change: impl Fn(&mut Product, i64),
    ) -> bool {
        let reservation = self.reservations.get_mut(&order_id);
        let open = reservation.filter(|reservation| {
            reservation.state == State::Reserved || quintet::inject_bug!(ReleaseTwice)
        });
        let Some(reservation) = open else { return false };
        reservation.state = state;
        for item in &reservation.items.0 {
            if let Some(product) = self.products.get_mut(&item.sku) {
                change(product, item.quantity);
            }
        }
        true
    }

    /// Releases what the order has reserved, if anything.
    pub(crate) fn release(&mut self, order_id: OrderId, out: &mut Out) {
        if self.end_reservation(order_id, State::Released, Product::release) {
            out.emit(contracts::StockReleased { order_id });
        }
    }
}

/// The products that the input itself names.
fn named(input: &Input<InventoryService>) -> Vec<Sku> {
    match &input.what {
        What::Event(Event::OrderPlaced(placed)) => {
            placed.items.iter().map(|item| item.sku.clone()).collect()
        }
        What::Command(Command::PutProduct(put)) => vec![put.sku.clone()],
        What::Command(Command::AddStock(add)) => vec![add.sku.clone()],
        _ => Vec::new(),
    }
}
