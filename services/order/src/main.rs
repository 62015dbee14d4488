//! The order service: takes orders and follows them to their end.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main::<order::OrderService>()
}
