//! Traces, as a collector receives them, and metrics.

mod collector;
mod metrics;
mod trace;
mod traces;

use std::process::ExitCode;

use scenarios::{Backend, Options, Scenarios, scenarios};

/// How many scenarios run at a time. Each has a suite of its own.
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
            traces::a_trace_is_complete_although_payment_is_killed_and_rewound,
            traces::a_cancellation_continues_the_orders_trace,
            traces::retries_are_visible,
            traces::an_order_that_is_not_sampled_has_a_trace_id_too,
        );
        scenarios!(all.alone(Options::on(&backend)): metrics::metrics_are_right_and_documented);
    }
    all.run(AT_ONCE)
}
