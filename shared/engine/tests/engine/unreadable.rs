//! A record that cannot be decoded is parked as it arrived, and replayed once it can be decoded.

use bus::Incoming;
use event::{DecodeError, decode};
use quintet_engine::{Applied, Cause, DeadLetter, Poison, Raw, Reason, Unreadable, chunk};
use store::Value;
use testkit::toy::{AddOne, Rang, TallyId};

use crate::{
    dead_letters::apply_until_committed,
    rig::{Rig, rigs},
    toy::Toy,
    work::{Works, add, event_id, record, replaced, tally},
};

fn broken(number: u128, tally_id: TallyId) -> Incoming {
    Incoming { value: b"{".into(), ..record(number, &AddOne { tally_id }.into()) }
}

/// Repairs the parked [`broken`] record of this number.
async fn mend(rig: &Rig, number: u128, tally_id: TallyId) {
    let Incoming { value, offset, .. } = record(number, &AddOne { tally_id }.into());
    let sql = "update dead_letter set value = $1 where record_offset = $2";
    assert_eq!(rig.execute(sql, vec![value.into(), offset.into()]).await, 1);
}

/// Decodes records and applies them as one batch.
async fn receive(rig: &Rig, records: Vec<Incoming>) -> (Applied<Toy>, usize) {
    let chunk = chunk::<Toy>(records);
    let works: Vec<Works> = chunk.works.into_iter().map(|pending| pending.work).collect();
    apply_until_committed(&rig.engine, &works, Poison::of(chunk.unreadable)).await
}

#[tokio::test]
async fn a_record_that_cannot_be_decoded_is_parked_as_it_arrived() {
    for rig in rigs().await {
        let good = |number| record(number, &AddOne { tally_id: tally(1) }.into());
        let (applied, attempts) = receive(&rig, vec![good(1), broken(2, tally(1)), good(3)]).await;
        assert_eq!((attempts, applied.parked, applied.positions[0].next), (1, 2, 4));
        assert_eq!(rig.log(tally(1)).await, "add");
        let queue = rig.dead_letter_queue(tally(1)).await;
        let DeadLetter { cause, errors, event_type, offset, key, value, headers, .. } =
            &queue.dead_letters[0];
        assert_eq!((*cause, *offset), (Cause::Undecodable, 2));
        assert_eq!(event_type.as_deref(), Some("AddOne"));
        assert!(errors[0].contains("not JSON"), "{errors:?}");
        assert_eq!((key, value), (&Raw::Text(tally(1).to_string()), &Raw::Text("{".into())));
        assert!(headers.contains(&("ce_id".into(), Raw::Text(event_id(2).to_string()))));

        // It stays parked until it can be decoded.
        assert_eq!(rig.replay(tally(1)).await, 0);
        assert_eq!(rig.dead_letter_queue(tally(1)).await.dead_letters[0].attempts, 2);
        mend(&rig, 2, tally(1)).await;
        assert_eq!(rig.replay(tally(1)).await, 2);
        assert_eq!(rig.log(tally(1)).await, "add, add, add");
        rig.nothing_is_parked().await;
    }
}

#[tokio::test]
async fn an_event_that_the_service_does_not_consume_stays_parked() {
    for rig in rigs().await {
        receive(&rig, vec![broken(1, tally(1))]).await;
        let foreign = record(1, &Rang { tally_id: tally(1) }.into());
        let headers = foreign.headers.iter().map(|(name, value)| (name, Raw::from(value.to_vec())));
        let headers = Value::json(&headers.collect::<Vec<_>>());
        let sql = "update dead_letter set headers = $1, value = $2";
        rig.execute(sql, vec![headers, foreign.value.into()]).await;
        assert_eq!(rig.replay(tally(1)).await, 0);
        let dead_letters = rig.dead_letter_queue(tally(1)).await.dead_letters;
        assert_eq!((dead_letters.len(), dead_letters[0].attempts), (1, 2));
    }
}

#[tokio::test]
async fn a_replay_deletes_the_dead_letter_of_an_event_that_was_applied_from_a_good_copy() {
    for rig in rigs().await {
        rig.apply(&[add(1, tally(1))]).await;
        receive(&rig, vec![broken(1, tally(1))]).await;
        mend(&rig, 1, tally(1)).await;
        rig.replay(tally(1)).await;
        assert_eq!(rig.log(tally(1)).await, "add");
        rig.nothing_is_parked().await;
    }
}

/// The simulator found this with the seed 16925.
#[tokio::test]
async fn a_record_that_is_delivered_again_with_its_own_replay_is_not_parked_again() {
    for rig in rigs().await {
        receive(&rig, vec![broken(1, tally(1))]).await;
        mend(&rig, 1, tally(1)).await;
        rig.engine.replay(tally(1).into()).await.unwrap();
        let replayed = rig.engine.replays().step::<Toy>().await.unwrap();
        let again = chunk::<Toy>(vec![broken(1, tally(1))]).unreadable.pop().unwrap();
        let poison = Poison::of(vec![Unreadable { before: 1, ..again }]);
        let (applied, _) = apply_until_committed(&rig.engine, &replayed, poison).await;
        assert_eq!(applied.parked, 0);
        assert_eq!(rig.log(tally(1)).await, "add");
        rig.nothing_is_parked().await;
    }
}

#[tokio::test]
async fn a_record_that_names_no_order_is_parked_alone_with_its_bytes_unchanged() {
    for rig in rigs().await {
        let key = vec![0, 255];
        let stray = |offset| Incoming { offset, key: key.clone(), ..broken(1, tally(1)) };
        let records = || vec![stray(1), stray(2), record(3, &AddOne { tally_id: tally(1) }.into())];
        assert_eq!(receive(&rig, records()).await.0.parked, 2);
        assert_eq!(receive(&rig, records()).await.0.parked, 0, "a redelivery parks nothing");
        assert_eq!(rig.log(tally(1)).await, "add");
        let listed = rig.engine.dead_letters(None, 10).await.unwrap();
        assert_eq!((listed.queues.len(), listed.groups.len()), (2, 1));
        assert_eq!((listed.groups[0].queues, listed.groups[0].dead_letters), (2, 2));
        assert_eq!(listed.queues[0].aggregate.id, None);
        let queue = rig.dead_letter_queue(listed.queues[0].id).await;
        assert_eq!(queue.dead_letters[0].key, Raw::Bytes(key.clone()));
        let first = rig.engine.dead_letters(None, 1).await.unwrap();
        let second = rig.engine.dead_letters(first.next, 1).await.unwrap();
        assert_eq!(
            [first.queues[0].id, second.queues[0].id],
            [listed.queues[0].id, listed.queues[1].id]
        );
    }
}

#[tokio::test]
async fn a_record_of_an_unknown_version_is_parked_with_that_cause() {
    let mut record = record(1, &AddOne { tally_id: tally(1) }.into());
    let version = "urn:toy:schemas:add_one:v9";
    record.headers = replaced(&record.headers, "ce_dataschema", version);
    let error =
        decode::<testkit::toy::ToyEvent>(&record.key, &record.headers, &record.value).unwrap_err();
    assert!(matches!(error, DecodeError::UnknownVersion { version: 9, .. }), "{error}");
    let unreadable = chunk::<Toy>(vec![record]).unreadable;
    let Unreadable { before: 0, reason: Reason { cause, errors }, .. } = &unreadable[0] else {
        panic!("{unreadable:?}")
    };
    assert_eq!((*cause, errors.len()), (Cause::UnknownVersion, 1));
}
