//! Three processes of each service, on PostgreSQL and Kafka: each on its own database, in one group.

mod emission;
mod together;
mod trouble;

use std::process::ExitCode;

use scenarios::{Backend, Options, Scenarios, Shared, scenarios};

/// A suite of these is sixteen processes.
const AT_ONCE: usize = 1;
const REPLICAS: usize = 3;

fn main() -> ExitCode {
    let mut all = Scenarios::default();
    for backend in Backend::all().into_iter().filter(|backend| *backend != Backend::Files) {
        let options = || Options::on(&backend).replicas(REPLICAS);
        scenarios!(all.alone(options()):
            trouble::each_is_restarted_in_turn,
            trouble::some_die_and_some_hang,
        );
        let few = options().env("QUINTET_ORDER__LIMITS__OPEN_ORDERS", &together::FEW.to_string());
        scenarios!(all.alone(few): together::a_customer_has_few_open_orders_at_all_of_them);
        scenarios!(all.shared(&Shared::in_turns(options())):
            together::each_streams_what_any_of_them_takes,
            together::all_are_stopped_and_started,
        );
    }
    all.run(AT_ONCE)
}
