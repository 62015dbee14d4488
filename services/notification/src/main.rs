//! The notification service: one mail per milestone.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main::<notification::NotificationService>()
}
