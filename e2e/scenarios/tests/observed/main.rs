//! What a suite tells about itself: traces, as a collector receives them, and metrics.

mod collector;
mod metrics;
mod trace;
mod traces;

use std::process::ExitCode;

use scenarios::{Backend, Options, Scenarios, scenarios};

/// Each has a suite of its own.
const AT_ONCE: usize = 2;

fn main() -> ExitCode {
    let mut all = Scenarios::default();
    for backend in Backend::all() {
        let options = || {
            let options = Options::on(&backend).env("OTEL_BSP_SCHEDULE_DELAY", "100");
            let options = options.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector::url());
            options.env("QUINTET_ORDER__TRACES__SAMPLE", "1")
        };
        scenarios!(all.alone(options()):
            traces::an_order_is_one_trace_over_five_services,
            traces::payment_is_killed_and_its_events_come_again,
            traces::a_cancellation_goes_on_in_the_orders_trace,
            traces::retries_are_visible,
            traces::what_is_not_sampled_has_an_id_all_the_same,
        );
        scenarios!(all.alone(Options::on(&backend)): metrics::they_count_what_happened);
    }
    all.run(AT_ONCE)
}
