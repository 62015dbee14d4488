//! The program. It runs each of the services, and starts, supervises and audits all of them together.

use std::process::ExitCode;

use quintet::Program;

use my_saga::{invariants, seats::Seats, tickets::Tickets};

fn main() -> ExitCode {
    Program::new("my-saga", include_str!("../suite.toml"))
        .about("Sells tickets for shows")
        .service::<Tickets>()
        .service::<Seats>()
        .invariant(invariants::SEATED, |rows| {
            invariants::seated(rows.of("tickets", "ticket"), rows.of("seats", "seat"))
        })
        .main()
}
