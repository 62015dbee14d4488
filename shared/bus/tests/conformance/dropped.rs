//! Receives that are dropped while records are published.

use std::cell::Cell;

use quintet_bus::{Bus, BusError, Incoming};

use crate::rig::{numbered, within};

/// Publishes `count` records, and receives them by `receive`, which is dropped again and again. Returns the records.
pub async fn receive_with_drops(
    writing: &dyn Bus,
    count: usize,
    mut receive: impl AsyncFnMut() -> Result<Vec<Incoming>, BusError>,
) -> Vec<Incoming> {
    let mut producer = writing.producer().await.expect("a producer");
    let dropped = Cell::new(0_usize);
    let publishing = async {
        for n in 0..count {
            let published = producer.publish(&numbered(n..n + 1)).await;
            assert_eq!(published.acknowledged, [true]);
            // Waits for a dropped receive, so that some find no record, however fast the bus is.
            let before = dropped.get();
            while n % 2 == 0 && dropped.get() == before {
                tokio::task::yield_now().await;
            }
        }
    };
    let receiving = async {
        let mut all = Vec::new();
        for round in 0.. {
            match within_yields(receive(), round % 40).await {
                Some(records) => all.extend(records),
                None => dropped.set(dropped.get() + 1),
            }
            if all.len() >= count {
                break;
            }
        }
        all
    };
    let (all, ()) = within(async { tokio::join!(receiving, publishing) }).await;
    let dropped = dropped.get();
    assert!(dropped > 100, "only {dropped} were dropped: the check checks nothing");
    all
}

/// Drops the receive after this number of yields to the runtime.
async fn within_yields(
    receiving: impl Future<Output = Result<Vec<Incoming>, BusError>>,
    yields: usize,
) -> Option<Vec<Incoming>> {
    let give_up = async {
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        // In some rounds this gives a database thread the time to answer.
        if yields % 4 == 3 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        biased;
        received = receiving => Some(received.expect("records")),
        () = give_up => None,
    }
}
