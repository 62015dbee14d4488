use contracts::{Event, OrderId};
use quintet::{Input, Rows, StoreError, Tx, What, record, text_field};
use uuid::Uuid;

use crate::{Account, LoyaltyService, Purchase, State, customer};

/// The rows that a batch may touch. Purchases are locked before accounts.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// One purchase per order.
    pub purchases: Rows<Purchase>,
    /// The customers' points.
    pub accounts: Rows<Account>,
}

text_field!(State);
record!(Purchase in "purchase": order_id: OrderId, state: State, customer: Option<Uuid>, points: i64);
record!(Account in "account": customer: Uuid, points: i64);

impl World {
    pub(crate) async fn load(
        tx: &mut Tx,
        inputs: &[&Input<LoyaltyService>],
    ) -> Result<Self, StoreError> {
        let orders = inputs.iter().filter_map(|input| input.aggregate());
        let purchases = Rows::<Purchase>::load(tx, orders).await?;
        let placed = inputs.iter().filter_map(|input| match &input.what {
            What::Event(Event::OrderPlaced(placed)) => Some(customer(&placed.customer.email)),
            _ => None,
        });
        let known = purchases.iter().filter_map(|purchase| purchase.customer);
        let accounts = Rows::load(tx, placed.chain(known)).await?;
        Ok(Self { purchases, accounts })
    }

    /// Adds an order's points to its customer's account.
    pub(crate) fn count(&mut self, order_id: OrderId) {
        let Some(purchase) = self.purchases.get_mut(&order_id) else { return };
        let Some(customer) = purchase.customer else { return };
        purchase.state = State::Counted;
        let before = self.accounts.get(&customer).map_or(0, |account| account.points);
        self.accounts.put(Account { customer, points: before + purchase.points });
    }
}
