//! The program of the loyalty service.

use std::process::ExitCode;

fn main() -> ExitCode {
    quintet::main::<loyalty::LoyaltyService>()
}
