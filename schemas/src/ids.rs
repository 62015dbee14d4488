//! The key of an order's events.

event::ids! {
    /// An order, a `UUIDv7`; also the key of all its events.
    OrderId;
}
