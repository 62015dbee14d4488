//! What is on the bus, and having a service hear it again.

use scenarios::{NewOrder, Visitor, until};

pub(crate) async fn the_bus_is_shown_and_a_rewound_service_hears_it_again(visitor: Visitor) {
    let sku = visitor.product(5).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until_ended(order, "completed").await;
    visitor.verdict().await;
    let suite = visitor.suite();
    let (code, events) = suite.ask(&["events", "--order", &order.to_string()]).await;
    assert_eq!(code, Some(0));
    let types: Vec<&str> =
        events.iter().filter_map(|event| event["headers"]["ce_type"].as_str()).collect();
    assert_eq!(types.first(), Some(&"OrderPlaced"), "{types:?}");
    assert!(types.contains(&"OrderCompleted"), "{types:?}");
    let of_order = |key: &serde_json::Value| *key == order.to_string();
    assert!(events.iter().all(|event| of_order(&event["key"])), "{events:?}");
    let (_, products) = suite.ask(&["events", "products"]).await;
    assert!(products.iter().any(|event| event["data"]["sku"] == sku.as_str()), "{products:?}");

    let rewind = ["rewind", "payment", "--to", "beginning"];
    let (code, _) = suite.ask(&rewind).await;
    assert_eq!(code, Some(1), "a service that runs was rewound");
    suite.stop("payment").await;
    // While payment is down, the bus alone knows what it has not heard.
    visitor.place(&NewOrder::of(&sku)).await;
    let behind = async || {
        let (_, said) = suite.ask(&["lag"]).await;
        let all = said[0].as_array().expect("a list").clone();
        let lag =
            |it: &serde_json::Value| it["lag"].as_i64().filter(|_| it["service"] == "payment");
        (all.iter().filter_map(lag).sum::<i64>() > 0).then_some(())
    };
    until("the lag of a service that is down", behind).await;
    let (code, said) = suite.ask(&rewind).await;
    assert_eq!(code, Some(0), "{said:?}");
    let records = said[0]["records"].as_i64().expect("a count");
    assert!(records > 0, "{said:?}");
    suite.begin("payment").await;
    visitor.verdict().await;
    let snapshot = visitor.snapshot().await;
    assert!(snapshot.status["payment"].duplicates > 0, "it heard nothing again");
}
