use contracts::{Currency, Event, Item, OrderId, Sku};
use quintet::{Input, Rows, StoreError, Tx, What, record, store::Json, text_field};
use serde::{Deserialize, Serialize};

use crate::{AddStock, InventoryService, Out, Product, PutProduct, Reservation, State};

text_field!(State);
record!(Reservation in "reservation": order_id: OrderId, state: State, items: Json<Vec<Item>>);
record!(Product in "product": sku: Sku, name: String, price_minor: i64, currency: Currency,
    version: i64, stocked: i64, on_hand: i64, reserved: i64, shipped: i64);

/// The rows that a batch may touch. Orders are locked before products.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// A reservation an order.
    pub reservations: Rows<Reservation>,
    /// The products and their stock.
    pub products: Rows<Product>,
}

/// What inventory's HTTP interface asks of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Create or change a product.
    PutProduct(PutProduct),
    /// Put more on the shelf.
    AddStock(AddStock),
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The product as it is now, and whether it is new.
    Product(Box<ProductView>, bool),
    /// There is no such product.
    Unknown,
    /// The shelf holds no more.
    TooMuch,
}

/// A product as its routes show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Product)]
pub struct ProductView {
    /// What it is called in orders.
    pub sku: Sku,
    /// What a customer reads.
    pub name: String,
    /// The price of one piece.
    pub price: contracts::Money,
    /// Counts changes of name and price.
    pub version: i64,
    /// Pieces that ever came in.
    pub stocked: i64,
    /// Pieces on the shelf, the reserved ones included.
    pub on_hand: i64,
    /// Pieces on the shelf that belong to an order.
    pub reserved: i64,
    /// Pieces that went out.
    pub shipped: i64,
}

impl quintet::Reply for Reply {
    fn is_success(&self) -> bool {
        matches!(self, Self::Product(..))
    }
}

impl From<&Product> for ProductView {
    fn from(product: &Product) -> Self {
        Self {
            sku: product.sku.clone(),
            name: product.name.clone(),
            price: product.price(),
            version: product.version,
            stocked: product.stocked,
            on_hand: product.on_hand,
            reserved: product.reserved,
            shipped: product.shipped,
        }
    }
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

    /// Ends an open reservation, doing this to each of its products; whether there was one.
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

    /// Gives back what the order has reserved, if it has.
    pub(crate) fn release(&mut self, order_id: OrderId, out: &mut Out) {
        if self.end_reservation(order_id, State::Released, Product::release) {
            out.emit(contracts::StockReleased { order_id });
        }
    }
}

/// The products that an input names itself.
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
