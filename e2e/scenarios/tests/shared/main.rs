//! Scenarios that share suites: nobody kills or stops anything that others need.

mod ending;

use std::process::ExitCode;

use scenarios::{Backend, Options, Scenarios, Shared, scenarios};

/// They mostly wait.
const AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let mut all = Scenarios::default();
    for backend in Backend::all() {
        let suite = Shared::new(Options::on(&backend));
        scenarios!(all.shared(&suite):
            ending::completed,
            ending::out_of_stock,
            ending::declined,
            ending::the_answer_to_the_charge_is_lost,
            ending::flaky_provider,
            ending::the_carrier_refuses,
            ending::two_orders_for_the_last_unit,
            ending::mail_bounces,
        );
    }
    all.run(AT_ONCE)
}
