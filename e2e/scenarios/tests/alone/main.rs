//! Scenarios that kill and stop processes. Each has a suite of its own.

mod outage;
mod poison;
mod recovery;
mod rewind;
mod versions;

use std::process::ExitCode;

use scenarios::{Backend, Options, Scenarios, scenarios};

/// How many scenarios run at a time. Each keeps the machine busy.
const AT_ONCE: usize = 2;

fn main() -> ExitCode {
    let mut all = Scenarios::default();
    for backend in Backend::all() {
        let options = || Options::on(&backend);
        scenarios!(all.alone(options()):
            recovery::payment_is_stopped_and_started,
            recovery::payment_is_killed,
            recovery::the_providers_are_killed,
            recovery::all_services_are_killed_at_once,
            recovery::the_launcher_is_killed,
            poison::one_order_in_a_thousand_is_parked_and_ends_after_the_replay,
            poison::a_record_that_cannot_be_decoded_is_parked_until_it_is_discarded,
            rewind::every_event_is_delivered_again,
            rewind::every_event_is_delivered_again_after_the_inboxes_were_emptied,
        );
        let first = options().env("QUINTET_ORDER__PUBLISH__ORDER_PLACED", "1");
        scenarios!(all.alone(first): versions::order_publishes_the_first_version);
    }
    for backend in Backend::all().into_iter().filter(|backend| *backend != Backend::Files) {
        // Long enough for the other services to read an order before it is cancelled.
        let short_deadline = Options::on(&backend).env("QUINTET_ORDER__DEADLINES__FIRST", "20s");
        scenarios!(all.alone(Options::on(&backend)):
            outage::readiness_reports_a_read_only_server_as_an_outage,
        );
        scenarios!(all.alone(short_deadline):
            outage::records_deleted_unread_stop_the_service_until_an_operator_accepts_the_loss,
        );
    }
    if let Some(backend) = Backend::own_broker() {
        let limit = outage::OUTBOX.to_string();
        let small_outbox = Options::on(&backend).env("QUINTET_ORDER__OUTBOX__LIMIT", &limit);
        scenarios!(all.alone(small_outbox): outage::orders_are_refused_while_the_outbox_is_full);
    }
    all.run(AT_ONCE)
}
