//! The inventory service: products, stock, reservations.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main::<inventory::InventoryService>()
}
