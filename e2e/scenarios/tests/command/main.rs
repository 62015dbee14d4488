//! The command `quintet` with real services: its output and exit codes.

mod bench;
mod broken;
mod chaos;
mod on_bus;
mod running;

use std::process::ExitCode;

use scenarios::{Backend, Options, Scenarios, scenarios};

/// How many scenarios run at a time. Each keeps the machine busy.
const AT_ONCE: usize = 2;

fn main() -> ExitCode {
    let mut all = Scenarios::default();
    for backend in Backend::all() {
        let options = || Options::on(&backend);
        scenarios!(all.alone(options()):
            running::the_audit_of_a_busy_suite_reports_no_violation,
            running::watch_shows_each_event_once_although_the_service_is_killed,
            running::orders_are_listed_by_their_status,
            running::logs_of_an_order_show_what_it_waited_for,
            on_bus::events_are_shown_and_a_rewound_service_reads_them_again,
            bench::two_clean_suites_are_measured_and_compared,
            bench::a_running_suite_is_measured_and_left_running,
            bench::orders_beside_poisoned_ones_are_measured,
            broken::an_order_that_lost_its_end,
            broken::a_second_capture,
            broken::a_parcel_for_a_cancelled_order,
            broken::a_lost_reservation,
            broken::a_payment_that_differs_from_the_gateways,
            broken::a_doubled_mail,
            broken::a_stuck_outbox_row,
            broken::a_bench_exits_as_its_audit_does,
            chaos::killed_stopped_and_restarted_processes_lose_nothing,
        );
    }
    scenarios!(all.alone(Options::on(&Backend::Files)):
        chaos::a_suite_without_supervisor_is_struck_by_the_users_commands,
    );
    if let Some(backend) = Backend::own_broker() {
        scenarios!(all.alone(Options::on(&backend)):
            chaos::the_broker_is_killed_and_started_by_the_users_command,
        );
    }
    all.run(AT_ONCE)
}
