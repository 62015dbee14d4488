//! The services of the saga and the sandbox, as its manifest names them.

use quintet_suite::Component;

pub(crate) fn order() -> Component {
    Component::named("order")
}

pub(crate) fn inventory() -> Component {
    Component::named("inventory")
}

pub(crate) fn payment() -> Component {
    Component::named("payment")
}

/// Plays the payment gateway, the carrier and the mail server.
pub(crate) fn sandbox() -> Component {
    Component::named("sandbox")
}
