//! Scenarios that share suites, because they do not disturb each other or run one after the other.

mod cancelling;
mod deadlines;
mod ending;
mod interface;
mod poisoned;

use std::process::ExitCode;

use scenarios::{Backend, Options, Scenarios, Shared, scenarios};

/// How many scenarios run at a time. They mostly wait.
const AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let mut all = Scenarios::default();
    for backend in Backend::all() {
        let options = Options::on(&backend);
        let overdue = options.clone().env("QUINTET_ORDER__DEADLINES__FIRST", "2s");
        let overdue = Shared::one_by_one(overdue.env("QUINTET_ORDER__DEADLINES__SECOND", "1s"));
        scenarios!(all.shared(&overdue):
            deadlines::a_refused_refund_needs_an_operator,
            deadlines::the_provider_is_down_past_the_deadline,
            deadlines::the_carrier_is_down_past_the_deadline,
        );
        let unpaid = options.clone().env("QUINTET_ORDER__DEADLINES__PAID", "2s");
        scenarios!(all.shared(&Shared::one_by_one(unpaid)):
            deadlines::an_unpaid_order_does_not_keep_its_stock,
        );
        let short_pauses = ["PAYMENT", "SHIPPING", "NOTIFICATION"].iter().fold(
            options.clone(),
            |options, service| {
                options.env(&format!("QUINTET_{service}__EFFECTS__BACKOFF_MAX"), "3s")
            },
        );
        let short_pauses = short_pauses.env("QUINTET_PAYMENT__EFFECTS__TIMEOUT", "1s");
        let short_pauses = Shared::one_by_one(short_pauses);
        scenarios!(all.shared(&short_pauses):
            poisoned::charges_that_are_refused_as_malformed,
            poisoned::charges_that_are_never_answered,
            poisoned::bookings_that_are_answered_503,
            poisoned::mails_that_are_answered_450,
        );
        let one_by_one = Shared::one_by_one(options.clone());
        scenarios!(all.shared(&one_by_one):
            cancelling::before_the_stock_is_reserved,
            cancelling::before_the_payment,
            cancelling::during_the_payment,
            cancelling::too_late,
        );
        let at_the_same_time = Shared::new(options);
        scenarios!(all.shared(&at_the_same_time):
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
            interface::the_refusal_of_a_bad_order_names_the_field,
            interface::a_body_that_is_no_order_is_refused,
            interface::an_unknown_order_is_not_found,
            interface::an_ended_order_cannot_be_cancelled,
        );
    }
    all.run(AT_ONCE)
}
