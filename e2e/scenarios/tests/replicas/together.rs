//! To its clients, a service with several replicas is one service.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use scenarios::{NewOrder, Visitor, services};
use serde_json::{Value, json};

/// The limit of a customer's open orders.
pub(crate) const OPEN_ORDERS: usize = 5;

pub(crate) async fn each_replica_streams_orders_of_all_replicas(visitor: Visitor) {
    let sku = visitor.product(100).await;
    for _ in 0..5 {
        let order = visitor.place(&NewOrder::of(&sku)).await;
        let streams = visitor.suite().replicas("order").into_iter().map(|replica| {
            let url = format!("{}/orders/{order}/events", replica.url);
            visitor.request(Method::GET, &url).send()
        });
        // The streams begin before most events have happened. The service ends them after the order's end and both mails.
        let streams = join_all(streams).await;
        let texts = streams.into_iter().map(|stream| stream.expect("a stream").text());
        let texts = join_all(texts).await;
        let view = visitor.until_ended(order, "completed").await;
        for stream in texts {
            let stream = stream.expect("a stream that the service ends");
            let entries = stream.lines().filter_map(|line| line.strip_prefix("data:"));
            let entry = |json| serde_json::from_str::<Value>(json).expect("an entry as JSON");
            let entries: Vec<Value> = entries.map(entry).collect();
            let events = entries.iter().map(|entry| entry["event"].as_str().expect("a type"));
            let events: Vec<&str> = events.collect();
            let timeline: Vec<&str> =
                view.timeline.iter().map(|entry| entry.event.as_str()).collect();
            // The timeline may have more events: those of other topics may arrive after the stream has ended.
            assert!(timeline.starts_with(&events), "{events:?} of {timeline:?}");
            let count = |name| events.iter().filter(|event| **event == name).count();
            assert_eq!((count("OrderCompleted"), count("NotificationSent")), (1, 2), "{events:?}");
        }
    }
    visitor.assert_sound().await;
}

pub(crate) async fn the_limit_of_open_orders_holds_over_all_replicas(visitor: Visitor) {
    let sku = visitor.product(100).await;
    let replicas = visitor.suite().replicas("order");
    for _ in 0..2 {
        // The outage keeps all orders open until the last request has been answered.
        visitor.faults(json!({"payment": {"outage": true}})).await;
        let requests = replicas.iter().cycle().take(6 * OPEN_ORDERS).map(|replica| {
            let request = visitor.request(Method::POST, &format!("{}/orders", replica.url));
            visitor.send(request.json(&NewOrder::of(&sku).0))
        });
        let answers = join_all(requests).await;
        let (accepted, refused): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.status == StatusCode::ACCEPTED);
        assert_eq!(accepted.len(), OPEN_ORDERS, "{answers:?}");
        for answer in refused {
            assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
            assert_eq!(answer.body["errors"][0]["pointer"], "/customer/email", "{answer:?}");
        }
        let accepted = accepted.into_iter().map(|answer| visitor.remember(answer));
        let accepted: Vec<_> = accepted.collect();
        visitor.faults(json!({})).await;
        // Different replicas may end the orders, some of them at the same time. The count of open orders must stay right.
        for order in accepted {
            visitor.until_ended(order, "completed").await;
        }
    }
    visitor.assert_sound().await;
}

pub(crate) async fn all_replicas_are_stopped_and_started(visitor: Visitor) {
    let suite = visitor.suite();
    for service in services() {
        let replicas = suite.replicas(service);
        assert_eq!(replicas.len(), crate::REPLICAS);
        assert_eq!(replicas[0].pid, suite.pid(service));
        assert!(replicas.iter().all(|replica| replica.pid.is_some()), "{replicas:?}");
    }
    suite.stop_program("payment").await;
    assert!(suite.replicas("payment").iter().all(|replica| replica.pid.is_none()));
    let sku = visitor.product(100).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until(order, "reserved", |view| view.status == "reserved").await;
    suite.start_program("payment").await;
    assert!(suite.replicas("payment").iter().all(|replica| replica.pid.is_some()));
    visitor.until_ended(order, "completed").await;

    let mut audit = tokio::process::Command::from(suite.quintet());
    let output = audit.args(["audit", "--wait", "60s"]).output().await;
    let output = output.expect("quintet can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    visitor.assert_sound().await;
}
