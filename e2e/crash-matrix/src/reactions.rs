use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use quintet_test::crash_points::{Reaction, reactions_of};
use saga::OrderSaga;
use shipping::ShippingService;

/// The reactions of all services: every state of each is walked, nothing is listed by hand. Each request to the
/// outside world can be held besides, and resolved as it can be answered.
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
