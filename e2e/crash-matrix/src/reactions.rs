use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use quintet_test::crash_points::{Reaction, reactions_of};
use saga::OrderSaga;
use shipping::ShippingService;

/// The reactions of all services, found by walking through every state of each service. A request to a provider can also be
/// held, and resolved in each way in which it can be answered.
#[must_use]
pub fn reactions() -> Vec<Reaction> {
    [
        reactions_of::<OrderService, OrderSaga>(),
        reactions_of::<InventoryService, OrderSaga>(),
        reactions_of::<PaymentService, OrderSaga>(),
        reactions_of::<ShippingService, OrderSaga>(),
        reactions_of::<NotificationService, OrderSaga>(),
    ]
    .concat()
}
