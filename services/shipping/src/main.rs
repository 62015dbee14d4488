//! The shipping service: books parcels, and decides whether one can still be stopped.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main::<shipping::ShippingService>()
}
