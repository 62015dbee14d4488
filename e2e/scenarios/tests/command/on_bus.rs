//! `quintet events`, `lag` and `rewind`.

use scenarios::{NewOrder, Visitor, until};

pub(crate) async fn events_are_shown_and_a_rewound_service_reads_them_again(visitor: Visitor) {
    let sku = visitor.product(5).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(order, "completed").await;
    visitor.assert_sound().await;
    let suite = visitor.suite();
    let (code, events) = suite.run_quintet(&["events", "--order", &order.to_string()]).await;
    assert_eq!(code, Some(0));
    let types: Vec<&str> =
        events.iter().filter_map(|event| event["headers"]["ce_type"].as_str()).collect();
    assert_eq!(types.first(), Some(&"OrderPlaced"), "{types:?}");
    assert!(types.contains(&"OrderCompleted"), "{types:?}");
    let of_order = |key: &serde_json::Value| *key == order.to_string();
    assert!(events.iter().all(|event| of_order(&event["key"])), "{events:?}");
    let (_, products) = suite.run_quintet(&["events", "products"]).await;
    assert!(products.iter().any(|event| event["data"]["sku"] == sku.as_str()), "{products:?}");

    let rewind = ["rewind", "payment", "--to", "beginning"];
    let (code, _) = suite.run_quintet(&rewind).await;
    assert_eq!(code, Some(1), "a running service must not be rewound");
    suite.stop_program("payment").await;
    // A stopped service reports no lag, so `lag` has to ask the bus.
    visitor.place(&NewOrder::of(&sku)).await;
    let lags_behind = async || {
        let (_, lines) = suite.run_quintet(&["lag"]).await;
        let partitions = lines[0].as_array().expect("a list").clone();
        let of_payment = partitions.iter().filter(|partition| partition["service"] == "payment");
        let lag: i64 = of_payment.filter_map(|partition| partition["lag"].as_i64()).sum();
        (lag > 0).then_some(())
    };
    until("payment lags behind", lags_behind).await;
    let (code, lines) = suite.run_quintet(&rewind).await;
    assert_eq!(code, Some(0), "{lines:?}");
    let records = lines[0]["records"].as_i64().expect("a count");
    assert!(records > 0, "{lines:?}");
    suite.start_program("payment").await;
    visitor.assert_sound().await;
    let snapshot = visitor.snapshot().await;
    assert!(snapshot.status["payment"].duplicates > 0, "payment read no event again");
}
