//! The loyalty service: counts points.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main::<loyalty::LoyaltyService>()
}
