//! Three replicas of each service on PostgreSQL and Kafka. The replicas of a service share a database and a consumer group.

mod emission;
mod faults;
mod together;

use std::process::ExitCode;

use scenarios::{Backend, Options, Scenarios, Shared, scenarios};

/// One scenario at a time, because a suite with three replicas is sixteen processes.
const AT_ONCE: usize = 1;
const REPLICAS: usize = 3;

fn main() -> ExitCode {
    let mut all = Scenarios::default();
    for backend in Backend::all().into_iter().filter(|backend| *backend != Backend::Files) {
        let options = || Options::on(&backend).replicas(REPLICAS);
        scenarios!(all.alone(options()):
            faults::each_replica_is_restarted_in_turn,
            faults::some_replicas_die_and_some_hang,
        );
        let limit = together::OPEN_ORDERS.to_string();
        let limited = options().env("QUINTET_ORDER__LIMITS__OPEN_ORDERS", &limit);
        scenarios!(all.alone(limited):
            together::the_limit_of_open_orders_holds_over_all_replicas,
        );
        scenarios!(all.shared(&Shared::one_by_one(options())):
            together::each_replica_streams_orders_of_all_replicas,
            together::all_replicas_are_stopped_and_started,
        );
    }
    all.run(AT_ONCE)
}
