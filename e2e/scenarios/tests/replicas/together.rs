//! Several replicas are one service to those who use it.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use scenarios::{NewOrder, Visitor, services};
use serde_json::{Value, json};

/// Open orders of a customer, where these are few.
pub(crate) const FEW: usize = 5;

pub(crate) async fn each_streams_what_any_of_them_takes(visitor: Visitor) {
    let sku = visitor.product(100).await;
    for _ in 0..5 {
        let order = visitor.place(&NewOrder::of(&sku)).await;
        let streams = visitor.suite().replicas("order").into_iter().map(|replica| {
            let url = format!("{}/orders/{order}/events", replica.url);
            visitor.request(Method::GET, &url).send()
        });
        // They are open before most of it has happened, and end when the story is told.
        let streams = join_all(streams).await;
        let told = streams.into_iter().map(|stream| stream.expect("a stream").text());
        let told = join_all(told).await;
        let view = visitor.until_ended(order, "completed").await;
        for stream in told {
            let stream = stream.expect("it ends in order");
            let entries = stream.lines().filter_map(|line| line.strip_prefix("data:"));
            let entry = |json| serde_json::from_str::<Value>(json).expect("an entry as JSON");
            let entries: Vec<Value> = entries.map(entry).collect();
            let events = entries.iter().map(|entry| entry["event"].as_str().expect("a type"));
            let events: Vec<&str> = events.collect();
            let happened: Vec<&str> =
                view.timeline.iter().map(|entry| entry.event.as_str()).collect();
            // Not always all of it: between topics there is no order, and the stream does not wait for
            // what comes after the end and both mails.
            assert!(happened.starts_with(&events), "{events:?} of {happened:?}");
            let count = |event| events.iter().filter(|it| **it == event).count();
            assert_eq!((count("OrderCompleted"), count("NotificationSent")), (1, 2), "{events:?}");
        }
    }
    visitor.verdict().await;
}

pub(crate) async fn a_customer_has_few_open_orders_at_all_of_them(visitor: Visitor) {
    let sku = visitor.product(100).await;
    let replicas = visitor.suite().replicas("order");
    for _ in 0..2 {
        // None of them ends before all were asked for.
        visitor.faults(json!({"payment": {"outage": true}})).await;
        let asked = replicas.iter().cycle().take(6 * FEW).map(|replica| {
            let request = visitor.request(Method::POST, &format!("{}/orders", replica.url));
            visitor.send(request.json(&NewOrder::of(&sku).0))
        });
        let answers = join_all(asked).await;
        let (taken, refused): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.status == StatusCode::ACCEPTED);
        assert_eq!(taken.len(), FEW, "{answers:?}");
        for answer in refused {
            assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
            assert_eq!(answer.body["errors"][0]["pointer"], "/customer/email", "{answer:?}");
        }
        let taken: Vec<_> = taken.into_iter().map(|answer| visitor.remember(answer)).collect();
        visitor.faults(json!({})).await;
        // They end at whichever replica hears of it, some of them at once.
        for order in taken {
            visitor.until_ended(order, "completed").await;
        }
    }
    visitor.verdict().await;
}

pub(crate) async fn all_are_stopped_and_started(visitor: Visitor) {
    let suite = visitor.suite();
    for service in services() {
        let replicas = suite.replicas(service);
        assert_eq!(replicas.len(), crate::REPLICAS);
        assert_eq!(replicas[0].pid, suite.pid(service));
        assert!(replicas.iter().all(|replica| replica.pid.is_some()), "{replicas:?}");
    }
    suite.stop("payment").await;
    assert!(suite.replicas("payment").iter().all(|replica| replica.pid.is_none()));
    let sku = visitor.product(100).await;
    let order = visitor.place(&NewOrder::of(&sku)).await;
    visitor.until(order, "reserved", |view| view.status == "reserved").await;
    suite.begin("payment").await;
    assert!(suite.replicas("payment").iter().all(|replica| replica.pid.is_some()));
    visitor.until_ended(order, "completed").await;

    let output = tokio::process::Command::from(suite.quintet());
    let audited = { output }.args(["audit", "--wait", "60s"]).output().await.expect("it runs");
    let said = String::from_utf8_lossy(&audited.stdout);
    assert!(audited.status.success(), "{said}");
    visitor.verdict().await;
}
