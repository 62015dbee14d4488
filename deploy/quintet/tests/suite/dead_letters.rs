//! `quintet dead-letters` and `quintet effects`.

use crate::fake::{FakeSuite, order_id, text};
use serde_json::{Value, json};

/// A suite in which payment and shipping have parked the first order, and payment the second.
async fn suite() -> (FakeSuite, crate::fake::Up) {
    let suite = FakeSuite::new();
    let up = suite.running().await;
    for (service, nth) in [("payment", 1), ("shipping", 1), ("payment", 2)] {
        suite.state.lock().unwrap().parked.insert((service, order_id(nth)));
    }
    (suite, up)
}

#[tokio::test]
async fn dead_letters_are_listed_by_service() {
    let (suite, _up) = suite().await;
    let listed = suite.run(&["dead-letters", "list"]).await;
    assert_eq!(listed.status.code(), Some(0), "{}", text(&listed.stderr));
    let output = text(&listed.stdout);
    assert!(
        output.starts_with("payment: OrderPlaced panicked, 2 dead letters in 2 orders"),
        "{output}"
    );
    assert!(output.contains(&format!("    {}  1 attempt\n", order_id(2))), "{output}");

    let listed = suite.run(&["dead-letters", "list", "--service", "order", "--json"]).await;
    let output: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(output, json!({"order": {"groups": [], "queues": [], "postponed": []}}));
    let listed = suite.run(&["dead-letters", "list", "--service", "order"]).await;
    assert_eq!(text(&listed.stdout), "nothing is parked\n");
}

#[tokio::test]
async fn a_replay_says_what_is_applied_and_what_is_still_parked() {
    let (suite, _up) = suite().await;
    let replayed = suite.run(&["dead-letters", "replay", &order_id(1)]).await;
    assert_eq!(replayed.status.code(), Some(0), "{}", text(&replayed.stderr));
    let output = text(&replayed.stdout);
    assert_eq!(output, format!("payment: {0} applied\nshipping: {0} applied\n", order_id(1)));

    suite.state.lock().unwrap().replays_fail = true;
    let replayed = suite.run(&["dead-letters", "replay", "--all"]).await;
    assert_eq!(replayed.status.code(), Some(1));
    let output = text(&replayed.stdout);
    assert_eq!(output, format!("payment: {} 1 dead letter still parked: asked to\n", order_id(2)));
}

#[tokio::test]
async fn an_order_that_is_not_parked_or_parked_twice_is_an_error() {
    let (suite, _up) = suite().await;
    let shown = suite.run(&["dead-letters", "show", &order_id(3)]).await;
    assert_eq!(shown.status.code(), Some(1));
    let why = format!(
        "quintet: nothing is parked of {}; `quintet dead-letters list` says what is\n",
        order_id(3)
    );
    assert_eq!(text(&shown.stderr), why);

    let discarded = suite.run(&["dead-letters", "discard", &order_id(1)]).await;
    assert_eq!(discarded.status.code(), Some(1));
    let why = "quintet: it is parked in payment and shipping: say which by --service\n";
    assert_eq!(text(&discarded.stderr), why);
    let order = order_id(1);
    let which = ["dead-letters", "discard", &order, "--service", "shipping"];
    let discarded = suite.run(&which).await;
    assert_eq!(text(&discarded.stdout), "shipping: 1 dead letter discarded, nothing is left\n");
    assert_eq!(suite.state.lock().unwrap().parked.len(), 2);
}

#[tokio::test]
async fn a_stopped_service_hides_nothing_of_the_others() {
    let (suite, _up) = suite().await;
    suite.run(&["stop", "payment"]).await;
    suite.state.lock().unwrap().silent.insert("payment");
    let stopped = "quintet: payment is stopped: `quintet start payment` starts it\n";
    let order = order_id(1);

    let listed = suite.run(&["dead-letters", "list"]).await;
    assert_eq!((listed.status.code(), text(&listed.stderr)), (Some(1), stopped));
    let output = text(&listed.stdout);
    assert!(
        output.starts_with("shipping: OrderPlaced panicked, 1 dead letter in 1 order"),
        "{output}"
    );
    let shown = suite.run(&["dead-letters", "show", &order]).await;
    assert_eq!((shown.status.code(), text(&shown.stderr)), (Some(1), stopped));
    assert!(text(&shown.stdout).starts_with(&format!("shipping: 1 dead letter of {order}")));

    let discarded = suite.run(&["dead-letters", "discard", &order]).await;
    assert_eq!(discarded.status.code(), Some(1));
    let why = "quintet: it may be parked elsewhere too (payment is stopped: ";
    assert!(text(&discarded.stderr).starts_with(why), "{}", text(&discarded.stderr));
    let replayed = suite.run(&["dead-letters", "replay", "--all"]).await;
    assert_eq!((replayed.status.code(), text(&replayed.stderr)), (Some(1), stopped));
    assert_eq!(text(&replayed.stdout), format!("shipping: {order} applied\n"));

    let listed = suite.run(&["dead-letters", "list"]).await;
    assert_eq!(text(&listed.stdout), "nothing is parked in the services that answer\n");

    let effects = suite.run(&["effects", "list", "--all"]).await;
    assert_eq!((effects.status.code(), text(&effects.stderr)), (Some(1), stopped));
    let output = text(&effects.stdout);
    assert!(
        output.starts_with(&format!("shipping: book {order} of order {order}, attempted")),
        "{output}"
    );
    let retried = suite.run(&["effects", "retry", &order_id(9)]).await;
    let none = format!(
        "quintet: no request {} waits for an answer in the services that answer (payment is stopped: ",
        order_id(9)
    );
    assert!(text(&retried.stderr).starts_with(&none), "{}", text(&retried.stderr));
}
