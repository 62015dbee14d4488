//! The form on the wire: headers, versions, and how each violation is reported.

use crate::record::{envelope, example, record};
use contracts::{Currency, Event, EventType, Money};
use event::{
    Contract as _, DecodeError, Decoded, EventId, EventType as _, Schema, Trace, Versions, decode,
    encode,
};
use quintet_test::golden::Record;
use serde_json::{Value, json};

fn schema(event_type: EventType, version: u32) -> &'static Schema<EventType> {
    event_type.schema(version).unwrap()
}

fn placed() -> Record {
    example(schema(EventType::OrderPlaced, 2))
}

fn republished(record: &Record, order_placed: u32) -> Record {
    let envelope = envelope(record);
    let versions = Versions::default().with(EventType::OrderPlaced, order_placed);
    encode(envelope.id, &envelope.source, envelope.at, &envelope.trace, &envelope.event, &versions)
        .into()
}

#[test]
fn every_example_is_decoded_and_encoded_to_the_same_record() {
    for schema in Event::schemas() {
        let sent = example(schema);
        let again = republished(&sent, schema.version);
        assert_eq!(again.key, sent.key);
        assert_eq!(again.headers, sent.headers);
        let json = |record: &Record| serde_json::from_slice::<Value>(&record.value).unwrap();
        assert_eq!(json(&again), json(&sent), "{}", schema.id);
    }
}

#[test]
fn the_headers_arrive_in_the_envelope() {
    let envelope = envelope(&placed());
    assert_eq!(envelope.id, Record::EVENT_ID.parse::<EventId>().unwrap());
    assert_eq!(envelope.source, "/quintet/order");
    assert_eq!(envelope.at.to_string(), "2024-05-01T10:00:00.123456Z");
    assert_eq!(envelope.version, 2);
    assert_eq!(envelope.trace, Trace::parse(Some(Record::TRACEPARENT), Some("vendor=a")));
    assert_eq!(envelope.event.event_type(), EventType::OrderPlaced);
}

#[test]
fn an_event_goes_to_the_topic_of_its_publisher_under_its_key() {
    let topic_and_key = |event_type: EventType| {
        let event = envelope(&example(schema(event_type, 1))).event;
        let id = Record::EVENT_ID.parse().unwrap();
        let at = jiff::Timestamp::UNIX_EPOCH;
        let versions = Versions::default();
        let encoded = encode(id, "/quintet/x", at, &Trace::default(), &event, &versions);
        assert_eq!(encoded.headers.get("traceparent"), None);
        (encoded.topic, encoded.key)
    };
    let order = "018f3a5c-1b2d-7c3e-8f40-112233445566";
    for (event_type, topic, key) in [
        (EventType::ProductListed, "products", "espresso-250g"),
        (EventType::OrderPlaced, "orders", order),
        (EventType::StockReserved, "inventory", order),
        (EventType::PaymentCaptured, "payments", order),
        (EventType::ShipmentVoided, "shipping", order),
        (EventType::NotificationSent, "notifications", order),
    ] {
        assert_eq!(topic_and_key(event_type), (topic.into(), key.into()));
    }
}

#[test]
fn version_1_of_order_placed_becomes_version_2() {
    let old = envelope(&example(schema(EventType::OrderPlaced, 1)));
    let new = envelope(&placed());
    assert_eq!((old.version, new.version), (1, 2));
    assert_eq!(old.event, new.event);
}

#[test]
fn version_1_is_checked_against_its_own_schema() {
    let mut data: Value = serde_json::from_slice(&placed().value).unwrap();
    data["total_cents"] = json!(-1);
    let record = record(schema(EventType::OrderPlaced, 1), &data);
    let error = record.decode::<Event>().unwrap_err();
    assert!(matches!(error, DecodeError::Schema(violation) if violation.pointer == "/total_cents"));
}

#[test]
fn version_1_is_published_when_asked_for_and_only_in_euros() {
    let version = |record: &Record| envelope(&republished(record, 1)).version;
    assert_eq!(version(&placed()), 1);

    let mut data: Value = serde_json::from_slice(&placed().value).unwrap();
    data["total"]["currency"] = json!("USD");
    let usd = record(schema(EventType::OrderPlaced, 2), &data);
    assert_eq!(version(&usd), 2);
    let Event::OrderPlaced(order) = envelope(&republished(&usd, 1)).event else {
        panic!("not an order");
    };
    let currency: Currency = "USD".parse().unwrap();
    assert_eq!(order.total, Money { amount_minor: 1597, currency });
}

#[test]
fn a_record_of_an_unknown_type_is_foreign_even_if_nothing_else_in_it_is_valid() {
    let type_alone = [("ce_type", "LoyaltyPointsGranted")].into_iter().collect();
    let decoded = decode::<Event>(b"", &type_alone, b"\xff").unwrap();
    let event_type = "LoyaltyPointsGranted".to_owned();
    assert_eq!(decoded, Decoded::Foreign { event_type });
}

#[test]
fn a_missing_header_is_named() {
    let optional = ["traceparent", "tracestate"];
    for (header, _) in placed().headers {
        match placed().without(&header).decode::<Event>() {
            Err(DecodeError::MissingHeader { name }) => assert_eq!(name, header),
            Ok(_) => assert!(optional.contains(&header.as_str()), "{header} is required"),
            Err(other) => panic!("{header}: {other}"),
        }
    }
}

#[test]
fn an_invalid_header_is_named() {
    for (header, text) in [
        ("ce_specversion", b"0.3".as_slice()),
        ("ce_id", b"42"),
        ("ce_type", b"\xff"),
        ("ce_source", b""),
        ("ce_time", b"yesterday"),
        ("ce_dataschema", b"urn:quintet:schemas:stock_reserved:v1"),
        ("ce_dataschema", b"urn:quintet:schemas:order_placed:vx"),
        ("content-type", b"application/cloudevents+json"),
    ] {
        match placed().with(header, text).decode::<Event>() {
            Err(DecodeError::InvalidHeader { name, .. }) => assert_eq!(name, header),
            other => panic!("{header}: {other:?}"),
        }
    }
}

#[test]
fn permitted_variants_of_headers_are_understood() {
    let record = placed()
        .with("content-type", "application/json; charset=utf-8")
        .with("ce_time", "2024-05-01T12:00:00.123456789+02:00")
        .with("traceparent", "nonsense")
        .with("x-other", "left alone");
    let envelope = envelope(&record);
    assert_eq!(envelope.at.to_string(), "2024-05-01T10:00:00.123456Z");
    assert_eq!(envelope.trace, Trace::default());
}

#[test]
fn an_unknown_later_version_has_an_error_of_its_own() {
    let record = placed().with("ce_dataschema", "urn:quintet:schemas:order_placed:v3");
    let error = record.decode::<Event>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "OrderPlaced v3 is unknown here, the latest is v2: upgrade, then replay"
    );
    assert!(matches!(
        error,
        DecodeError::UnknownVersion { event_type: "OrderPlaced", version: 3, latest: 2 }
    ));
}

#[test]
fn a_value_that_is_not_json_is_refused() {
    for value in [b"".as_slice(), b"{", b"\xff", b"{} {}"] {
        let record = Record { value: value.to_vec(), ..placed() };
        assert!(matches!(record.decode::<Event>(), Err(DecodeError::NotJson(_))));
    }
}

#[test]
fn a_violation_names_the_place_and_the_rule_but_not_the_value() {
    let mut data: Value = serde_json::from_slice(&placed().value).unwrap();
    data["items"][1]["quantity"] = json!(0);
    let error = record(schema(EventType::OrderPlaced, 2), &data).decode::<Event>();
    assert_eq!(
        error.unwrap_err().to_string(),
        "`/items/1/quantity` violates urn:quintet:schemas:order_placed:v2: \
         value is less than the minimum of 1"
    );
    data["items"][1]["quantity"] = json!(1);
    data["customer"]["email"] = json!({ "secret": "clara@example.org" });
    let error = record(schema(EventType::OrderPlaced, 2), &data).decode::<Event>();
    let message = error.unwrap_err().to_string();
    assert!(message.contains("/customer/email"), "{message}");
    assert!(!message.contains("clara"), "{message}");
}

fn with_total(number: &str) -> Record {
    let text = String::from_utf8(placed().value).unwrap();
    let value = text.replace("1597", number).into_bytes();
    Record { value, ..placed() }
}

#[test]
fn an_amount_beyond_64_bits_violates_the_schema() {
    for number in ["1e30", "9223372036854775808"] {
        let error = with_total(number).decode::<Event>().unwrap_err();
        assert!(matches!(error, DecodeError::Schema(_)), "{number}: {error}");
    }
    envelope(&with_total("9223372036854775807"));
}

/// JSON Schema accepts `1.0` as an integer; the Rust type does not.
#[test]
fn a_whole_number_written_as_a_fraction_does_not_fit() {
    let error = with_total("1597.0").decode::<Event>().unwrap_err();
    assert!(matches!(error, DecodeError::Unfit { .. }), "{error}");
}

#[test]
fn the_key_and_the_subject_must_name_the_order_of_the_data() {
    let other = "018f3a5c-1b2d-7c3e-8f40-000000000000";
    let mismatch = |record: &Record| match record.decode::<Event>() {
        Err(DecodeError::Mismatch { what, found, .. }) => (what, found),
        other => panic!("{other:?}"),
    };
    let by_key = Record { key: other.into(), ..placed() };
    assert_eq!(mismatch(&by_key), ("key", other.to_owned()));
    let by_subject = placed().with("ce_subject", other);
    assert_eq!(mismatch(&by_subject), ("ce_subject", other.to_owned()));
    let without_key = Record { key: Vec::new(), ..placed() };
    assert_eq!(mismatch(&without_key), ("key", String::new()));
}
