//! Scenarios that share suites: nobody kills or stops anything that others need.

mod cancelling;
mod deadlines;
mod ending;
mod interface;
mod poisoned;

use std::process::ExitCode;

use scenarios::{Backend, Options, Scenarios, Shared, scenarios};

/// They mostly wait.
const AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let mut all = Scenarios::default();
    for backend in Backend::all() {
        let options = Options::on(&backend);
        let hasty = options.clone().env("QUINTET_ORDER__DEADLINES__FIRST", "2s");
        let hasty = Shared::in_turns(hasty.env("QUINTET_ORDER__DEADLINES__SECOND", "1s"));
        scenarios!(all.shared(&hasty):
            deadlines::a_refused_refund_needs_an_operator,
            deadlines::the_provider_is_down_past_the_deadline,
            deadlines::the_carrier_is_down_past_the_deadline,
        );
        let unpaid = options.clone().env("QUINTET_ORDER__DEADLINES__PAID", "2s");
        scenarios!(all.shared(&Shared::in_turns(unpaid)):
            deadlines::what_is_not_paid_does_not_keep_the_stock,
        );
        let impatient = ["PAYMENT", "SHIPPING", "NOTIFICATION"].iter().fold(
            options.clone(),
            |options, service| {
                options.env(&format!("QUINTET_{service}__EFFECTS__BACKOFF_MAX"), "3s")
            },
        );
        let impatient = impatient.env("QUINTET_PAYMENT__EFFECTS__TIMEOUT", "1s");
        let impatient = Shared::in_turns(impatient);
        scenarios!(all.shared(&impatient):
            poisoned::charges_that_are_refused_as_malformed,
            poisoned::charges_that_are_never_answered,
            poisoned::bookings_that_are_answered_503,
            poisoned::mails_that_are_put_off_by_their_server,
        );
        let moody = Shared::in_turns(options.clone());
        scenarios!(all.shared(&moody):
            cancelling::before_the_stock_is_reserved,
            cancelling::before_the_payment,
            cancelling::during_the_payment,
            cancelling::too_late,
        );
        let calm = Shared::new(options);
        scenarios!(all.shared(&calm):
            ending::completed,
            ending::out_of_stock,
            ending::declined,
            ending::the_answer_to_the_charge_is_lost,
            ending::flaky_provider,
            ending::the_carrier_refuses,
            ending::two_orders_for_the_last_unit,
            ending::mail_bounces,
            interface::twenty_times_the_same_request_is_one_order,
            interface::another_body_under_the_same_key_is_refused,
            interface::bad_orders_are_refused_by_the_field,
            interface::what_is_no_order_at_all_is_refused,
            interface::an_unknown_order_is_not_found,
            interface::an_ended_order_cannot_be_cancelled,
        );
    }
    all.run(AT_ONCE)
}
