//! Rights that the broker denies for a while. Needs `QUINTET_TEST_KAFKA_DIR=DIR`, a distribution of Kafka.

#[path = "conformance/rig.rs"]
#[expect(dead_code, reason = "shared with the conformance suite")]
mod rig;

use std::path::Path;
use std::sync::Arc;

use quintet_bus::{Bus, BusError, Settings};
use rig::{TOPICS, numbered, publish, sorted_numbers, take, within};
use testkit::{Broker, kafka_dir};

const GROUP: &str = "travel-hotels";

const ACLS: &str = "org.apache.kafka.tools.AclCommand";

/// A broker that allows every operation that no rule denies.
fn broker(kafka: &Path) -> Broker {
    let authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
    let settings =
        [("authorizer.class.name", authorizer), ("allow.everyone.if.no.acl.found", "true")];
    let broker = Broker::start(kafka, &settings);
    let allow = ["--add", "--allow-principal", "User:*", "--operation", "All"];
    broker.tool(ACLS, &[&allow, ["--topic", "*", "--group", "*", "--cluster"].as_slice()].concat());
    broker
}

/// Opens the broker under a namespace of the test, with topics.
async fn connect(broker: &Broker, namespace: &str) -> Arc<dyn Bus> {
    let (url, namespace) = (format!("kafka:{}", broker.address()), namespace.to_owned());
    let settings = Settings { url, namespace, ..Settings::default() };
    let bus = quintet_bus::connect(&settings).await.expect("settings are right");
    bus.create_topics(&TOPICS).await.expect("topics are created");
    bus
}

/// All checks use one broker, because a broker takes seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denied_rights_are_transient_errors() {
    let Some(kafka) = kafka_dir() else { return };
    let broker = broker(&kafka);
    a_topic_is_read_once_the_right_is_granted_again(&broker).await;
    the_error_names_the_group_which_is_joined_once_the_right_is_granted(&broker).await;
    a_service_without_the_right_to_create_topics_uses_existing_ones(&broker).await;
}

/// Adds (`--add`) or removes (`--remove`) a rule that denies an operation to all users.
fn deny(broker: &Broker, verb: &str, operation: &str, resource: &[&str]) {
    let rule = [verb, "--deny-principal", "User:*", "--operation", operation];
    let force = if verb == "--remove" { ["--force"].as_slice() } else { &[] };
    broker.tool(ACLS, &[&rule, resource, force].concat());
}

async fn a_topic_is_read_once_the_right_is_granted_again(broker: &Broker) {
    let bus = connect(broker, "r-").await;
    let mut consumer = bus.consumer(GROUP, &["trips", "notices"]).await.expect("a consumer");
    publish(&*bus, &numbered(0..10)).await;
    assert_eq!(take(&mut consumer, 10).await.len(), 10);

    let trips = ["--topic", "r-trips"];
    deny(broker, "--add", "Read", &trips);
    publish(&*bus, &numbered(10..20)).await;
    // The other topic can still be read. Records that the broker sent before the denial may still come.
    let notice = quintet_bus::Outgoing { topic: "notices".to_owned(), ..rig::record("board", "p") };
    publish(&*bus, &[notice]).await;
    let mut early = Vec::new();
    while !early.iter().any(|record: &quintet_bus::Incoming| record.topic == "notices") {
        early.extend(within(consumer.receive(100)).await.expect("a denial is no failure"));
    }
    deny(broker, "--remove", "Read", &trips);
    early.retain(|record| record.topic == "trips");
    let rest = 10 - early.len();
    early.extend(take(&mut consumer, rest).await);
    assert_eq!(sorted_numbers(&early), (10..20).collect::<Vec<_>>());
    within(consumer.close()).await.expect("closed");
}

async fn the_error_names_the_group_which_is_joined_once_the_right_is_granted(broker: &Broker) {
    let bus = connect(broker, "g-").await;
    let mut consumer = bus.consumer(GROUP, &["trips"]).await.expect("a consumer");
    publish(&*bus, &numbered(0..10)).await;
    assert_eq!(take(&mut consumer, 10).await.len(), 10);

    deny(broker, "--add", "All", &["--group", "g-travel-hotels"]);
    let running = within(async {
        loop {
            if let Err(error) = consumer.receive(10).await {
                break error;
            }
        }
    });
    let running = running.await;
    let joining = within(bus.consumer(GROUP, &["trips"])).await.err().expect("a denial");
    for error in [running, joining] {
        assert!(matches!(error, BusError::Denied { .. }) && error.is_transient(), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(GROUP) && text.contains("grant READ"), "{text}");
    }
    deny(broker, "--remove", "All", &["--group", "g-travel-hotels"]);
    drop(consumer);
    // The broker applies the removal after a moment.
    let mut consumer = within(async {
        loop {
            if let Ok(consumer) = bus.consumer(GROUP, &["trips"]).await {
                break consumer;
            }
        }
    })
    .await;
    publish(&*bus, &numbered(10..11)).await;
    let mut seen = Vec::new();
    while !sorted_numbers(&seen).contains(&10) {
        seen.extend(within(consumer.receive(100)).await.expect("records"));
    }
}

async fn a_service_without_the_right_to_create_topics_uses_existing_ones(broker: &Broker) {
    let bus = connect(broker, "w-").await;
    deny(broker, "--add", "Create", &["--cluster"]);
    deny(broker, "--add", "Create", &["--topic", "*"]);
    bus.create_topics(&TOPICS).await.expect("the topics exist");
    // A missing topic is an error only when it is used.
    let missing = quintet_bus::Topic { name: "missing", partitions: 1, compacted: false };
    bus.create_topics(&[missing]).await.expect("an operator may create it");
    let unknown = within(bus.partitions(GROUP, &["missing"])).await.expect_err("no such topic");
    assert!(unknown.is_transient(), "{unknown:?}");

    deny(broker, "--add", "Write", &["--topic", "w-trips"]);
    let mut producer = bus.producer().await.expect("a producer");
    let denied = within(async {
        loop {
            let published = producer.publish(&numbered(0..1)).await;
            if let Some(error) = published.error {
                break error;
            }
        }
    });
    let denied = denied.await;
    assert!(denied.is_transient() && denied.to_string().contains("WRITE"), "{denied}");
    deny(broker, "--remove", "Write", &["--topic", "w-trips"]);
    within(async { while producer.publish(&numbered(1..2)).await.error.is_some() {} }).await;
}
