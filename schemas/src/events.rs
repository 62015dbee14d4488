//! The contract: every event, its publisher, its topic, its schemas and its data.

use serde::{Deserialize, Serialize};

use crate::upcast::OrderPlacedV1;
use crate::{
    Address, CancelReason, Customer, Item, Milestone, Money, OrderId, PaymentMethod, Shortage, Sku,
};

event::contract! {
    /// An event of the order saga, with its data in the latest version.
    pub enum Event: EventType;
    namespace "quintet";
    key order_id: OrderId;
    schemas ".";
    compacted "products";
    payloads(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema);

    /// The full state of a product. Consumers ignore a version that is older than the one they know.
    ProductListed about sku by "inventory" on "products" in "product_listed": 1 {
        /// The product.
        sku: Sku,
        /// The name that customers read.
        name: String,
        /// The price of one piece.
        price: Money,
        /// Counts the product's changes.
        version: i64,
    }

    /// An order was accepted; its prices are fixed. The only event with personal data.
    OrderPlaced by "order" on "orders" in "order_placed": 1 as OrderPlacedV1, 2 {
        /// The order.
        order_id: OrderId,
        /// The customer.
        customer: Customer,
        /// What was ordered, each SKU once.
        items: Vec<Item>,
        /// The address to ship to.
        shipping_address: Address,
        /// How the order is paid.
        payment: PaymentMethod,
        /// What it costs.
        total: Money,
    }

    /// All lines of the order are reserved.
    StockReserved by "inventory" on "inventory" in "stock_reserved": 1 {
        /// The order.
        order_id: OrderId,
    }

    /// Nothing was reserved, because some product is out of stock.
    StockRejected by "inventory" on "inventory" in "stock_rejected": 1 {
        /// The order.
        order_id: OrderId,
        /// The products that are out of stock.
        missing: Vec<Shortage>,
    }

    /// The stock that was reserved for the order is available again.
    StockReleased by "inventory" on "inventory" in "stock_released": 1 {
        /// The order.
        order_id: OrderId,
    }

    /// The payment was captured.
    PaymentCaptured by "payment" on "payments" in "payment_captured": 1 {
        /// The order.
        order_id: OrderId,
        /// What was captured.
        amount: Money,
        /// The payment provider's reference.
        reference: String,
    }

    /// The payment was declined; nothing was captured.
    PaymentDeclined by "payment" on "payments" in "payment_declined": 1 {
        /// The order.
        order_id: OrderId,
        /// The payment provider's reason.
        reason: String,
    }

    /// The captured money was refunded.
    PaymentRefunded by "payment" on "payments" in "payment_refunded": 1 {
        /// The order.
        order_id: OrderId,
        /// What was refunded.
        amount: Money,
        /// The payment provider's reference.
        reference: String,
    }

    /// Nothing was captured and nothing will be.
    PaymentVoided by "payment" on "payments" in "payment_voided": 1 {
        /// The order.
        order_id: OrderId,
    }

    /// The parcel is on its way.
    ShipmentDispatched by "shipping" on "shipping" in "shipment_dispatched": 1 {
        /// The order.
        order_id: OrderId,
        /// The carrier's tracking number.
        tracking: String,
    }

    /// The carrier refused the parcel.
    ShipmentFailed by "shipping" on "shipping" in "shipment_failed": 1 {
        /// The order.
        order_id: OrderId,
        /// The carrier's reason.
        reason: String,
    }

    /// The parcel was stopped; nothing will be shipped.
    ShipmentVoided by "shipping" on "shipping" in "shipment_voided": 1 {
        /// The order.
        order_id: OrderId,
    }

    /// The order's cancellation is requested. Shipping decides whether it is still possible.
    OrderCancellationRequested by "order" on "orders" in "order_cancellation_requested": 1 {
        /// The order.
        order_id: OrderId,
        /// Why: `CustomerRequest` or `Deadline`.
        reason: CancelReason,
    }

    /// The order is complete: its parcel is on its way.
    OrderCompleted by "order" on "orders" in "order_completed": 1 {
        /// The order.
        order_id: OrderId,
    }

    /// The order is cancelled, and everything is undone.
    OrderCancelled by "order" on "orders" in "order_cancelled": 1 {
        /// The order.
        order_id: OrderId,
        /// The first cause.
        reason: CancelReason,
    }

    /// The mail about a milestone was accepted by the mail server.
    NotificationSent by "notification" on "notifications" in "notification_sent": 1 {
        /// The order.
        order_id: OrderId,
        /// What the mail is about.
        milestone: Milestone,
        /// The mail's Message-ID.
        message_id: String,
    }

    /// The mail about a milestone was refused for good.
    NotificationFailed by "notification" on "notifications" in "notification_failed": 1 {
        /// The order.
        order_id: OrderId,
        /// What the mail is about.
        milestone: Milestone,
        /// The mail server's reason.
        reason: String,
    }
}
