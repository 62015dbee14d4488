//! Scenarios that kill and stop: each has a suite of its own.

mod outage;
mod poison;
mod recovery;
mod rewind;
mod versions;

use std::process::ExitCode;

use scenarios::{Backend, Options, Scenarios, scenarios};

/// Each keeps the machine busy.
const AT_ONCE: usize = 2;

fn main() -> ExitCode {
    let mut all = Scenarios::default();
    for backend in Backend::all() {
        let options = || Options::on(&backend);
        scenarios!(all.alone(options()):
            recovery::payment_is_stopped_and_started,
            recovery::payment_is_killed,
            recovery::the_outside_world_is_killed,
            recovery::all_services_are_killed_at_once,
            recovery::the_launcher_is_killed,
            poison::one_order_in_a_thousand_is_parked_and_ends_after_the_replay,
            poison::a_record_that_nobody_understands_is_parked_until_it_is_discarded,
            rewind::everything_again,
            rewind::everything_again_without_the_inboxes,
        );
        let first = options().env("QUINTET_ORDER__PUBLISH__ORDER_PLACED", "1");
        scenarios!(all.alone(first): versions::order_publishes_the_first_version);
    }
    for backend in Backend::all().into_iter().filter(|backend| *backend != Backend::Files) {
        // Time to read what was placed before it is cancelled.
        let hasty = Options::on(&backend).env("QUINTET_ORDER__DEADLINES__FIRST", "20s");
        scenarios!(all.alone(Options::on(&backend)):
            outage::a_read_only_server_is_an_outage_that_readiness_tells,
        );
        scenarios!(all.alone(hasty):
            outage::what_was_deleted_unread_stops_the_service_until_somebody_accepts_it,
        );
    }
    if let Some(backend) = Backend::own_broker() {
        let limit = outage::OUTBOX.to_string();
        let small = Options::on(&backend).env("QUINTET_ORDER__OUTBOX__LIMIT", &limit);
        scenarios!(all.alone(small): outage::orders_are_refused_while_the_outbox_is_full);
    }
    all.run(AT_ONCE)
}
