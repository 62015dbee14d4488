//! The payment service: charges, and refunds.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main::<payment::PaymentService>()
}
