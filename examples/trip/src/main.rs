//! The program: it runs each of the services and the desk, and starts, watches and audits all of them together.

use std::process::ExitCode;

use quintet::Program;
use trip::{Booking, Flights, Hotels, desk, invariants};

fn main() -> ExitCode {
    let program = Program::new("trip", include_str!("../suite.toml"))
        .about("Books trips: a flight and a hotel, or neither")
        .service::<Booking>()
        .service::<Flights>()
        .service::<Hotels>()
        .provider_routes("desk", desk::routes);
    let with_invariant = |program: Program, invariant: invariants::Invariant| {
        program.invariant(invariant.name, move |rows| {
            (invariant.violations)(&|of, table| rows.of(of, table).cloned().collect())
        })
    };
    invariants::ALL.into_iter().fold(program, with_invariant).main()
}
