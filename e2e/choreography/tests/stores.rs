//! Checks every service's tables and statements on every database.

use inventory::InventoryService;
use notification::NotificationService;
use order::OrderService;
use payment::PaymentService;
use quintet_test::conformance::stores;
use saga::OrderSaga;
use shipping::ShippingService;

macro_rules! on_every_database {
    ($($name:ident: $service:ty;)*) => {$(
        #[tokio::test]
        async fn $name() {
            stores::<$service, OrderSaga>().await;
        }
    )*};
}

on_every_database! {
    order: OrderService;
    inventory: InventoryService;
    payment: PaymentService;
    shipping: ShippingService;
    notification: NotificationService;
}
