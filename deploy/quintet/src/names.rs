//! The names of services and of the sandbox in the manifest.

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

/// The provider that plays the payment gateway, the carrier and the mail server.
pub(crate) fn sandbox() -> Component {
    Component::named("sandbox")
}
