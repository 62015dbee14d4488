//! Properties that hold for any order and for any bytes.

use crate::record::{envelope, example};
use contracts::{
    Address, Currency, Customer, Event, EventType, Item, Money, OrderPlaced, PaymentMethod, Sku,
};
use event::{Contract as _, Decoded, EventId, Trace, Versions, decode, encode};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use quintet_test::golden::Record;
use uuid::Uuid;

fn money() -> impl Strategy<Value = Money> {
    let currency = prop_oneof![Just("EUR".to_owned()), "[A-Z]{3}"];
    (0..=i64::MAX, currency).prop_map(|(amount_minor, currency)| Money {
        amount_minor,
        currency: currency.parse::<Currency>().unwrap(),
    })
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = ("[A-Za-z0-9._-]{1,64}", 1..=100_000_000_i64)
        .prop_map(|(sku, quantity)| Item { sku: sku.parse::<Sku>().unwrap(), quantity });
    vec(item, 1..=100)
}

fn address() -> impl Strategy<Value = Address> {
    [".+", ".+", ".+", ".+", ".+"].prop_map(|[name, street, city, postal_code, country]| Address {
        name,
        street,
        city,
        postal_code,
        country,
    })
}

prop_compose! {
    fn order()(
        id in any::<u128>(), email in ".+", token in ".+",
        items in items(), shipping_address in address(), total in money(),
    ) -> OrderPlaced {
        OrderPlaced {
            order_id: Uuid::from_u128(id).into(),
            customer: Customer { email },
            items,
            shipping_address,
            payment: PaymentMethod { token },
            total,
        }
    }
}

proptest! {
    #[test]
    fn any_order_is_decoded_as_it_was_encoded(
        order in order(), id in any::<u128>(), order_placed in 1_u32..=2,
        micros in 0..=253_402_207_200_000_000_i64,
        trace_id in any::<[u8; 16]>(), span_id in any::<[u8; 8]>(), sampled in any::<bool>(),
    ) {
        let id: EventId = Uuid::from_u128(id).into();
        let at = Timestamp::from_microsecond(micros).unwrap();
        let trace = Trace::root(trace_id, span_id, sampled);
        let versions = Versions::default().with(EventType::OrderPlaced, order_placed);
        let event = Event::from(order);
        event.check().unwrap();
        let record: Record = encode(id, "/quintet/order", at, &trace, &event, &versions).into();
        let envelope = envelope(&record);
        prop_assert_eq!(envelope.event, event);
        prop_assert_eq!((envelope.id, envelope.at, envelope.trace), (id, at, trace));
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(
        key in any::<Vec<u8>>(), value in any::<Vec<u8>>(),
        headers in vec((".*", any::<Vec<u8>>()), 0..4),
    ) {
        // Without a `ce_type` header, the record is neither an event of this contract nor of another.
        prop_assert!(decode::<Event>(&key, &headers.into_iter().collect(), &value).is_err());
    }

    #[test]
    fn a_damaged_record_never_panics(
        nth in 0..Event::schemas().count(), header in any::<prop::sample::Index>(),
        text in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut record = example(Event::schemas().nth(nth).unwrap());
        let position = at.index(record.value.len());
        record.value[position] = byte;
        if let Ok(Decoded::Event(envelope)) = record.decode::<Event>() {
            envelope.event.check().unwrap();
        }
        let name = record.headers[header.index(record.headers.len())].0.clone();
        if let Ok(Decoded::Event(envelope)) = record.with(&name, text).decode::<Event>() {
            envelope.event.check().unwrap();
        }
    }
}
