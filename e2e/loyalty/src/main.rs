//! The loyalty service: counts points.

use std::process::ExitCode;

fn main() -> ExitCode {
    quintet::main::<loyalty::LoyaltyService>()
}
