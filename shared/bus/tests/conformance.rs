//! One list of checks, held against every bus.
//!
//! The log and the broker in memory always take part; Kafka where `QUINTET_TEST_KAFKA=HOST:PORT` names a broker. With
//! `QUINTET_TEST_REQUIRE_SERVERS=1` a missing broker is a failure.

#[path = "conformance/checks.rs"]
mod checks;
#[path = "conformance/positions.rs"]
mod positions;
#[path = "conformance/rig.rs"]
mod rig;

/// Makes a test of each check, for each bus; of some only for those that last longer than a process.
macro_rules! conformance {
    ($($module:ident::$check:ident),+ $(,)? ; on brokers $($outer:ident::$only:ident),+ $(,)?) => {
        mod log {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    crate::$module::$check(&crate::rig::LogRig::new()).await;
                }
            )+
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $only() {
                    crate::$outer::$only(&crate::rig::LogRig::new()).await;
                }
            )+
        }
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    crate::$module::$check(&crate::rig::MemoryRig::new()).await;
                }
            )+
        }
        mod kafka {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    if let Some(rig) = crate::rig::KafkaRig::new() {
                        crate::$module::$check(&rig).await;
                    }
                }
            )+
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $only() {
                    if let Some(rig) = crate::rig::KafkaRig::new() {
                        crate::$outer::$only(&rig).await;
                    }
                }
            )+
        }
    };
}

conformance! {
    checks::creating_topics_twice_changes_nothing,
    checks::order_is_kept_per_key,
    checks::a_key_has_the_partition_that_every_bus_gives_it,
    checks::headers_and_binary_values_arrive_intact,
    checks::unknown_topics_are_named,
    checks::a_large_record_passes,
    checks::a_too_large_record_stops_the_line,
    checks::an_empty_publish_is_nothing,
    checks::a_waiting_reader_is_woken,
    checks::no_more_than_asked_for_is_returned,
    checks::a_dropped_receive_loses_nothing,
    checks::two_producers_leave_no_gap,
    checks::two_groups_see_everything,
    checks::namespaces_do_not_see_each_other,
    positions::what_was_not_stored_comes_again,
    positions::what_was_stored_before_close_does_not,
    positions::stored_offsets_reach_the_broker_by_themselves,
    positions::partitions_tell_watermarks_and_lag,
    positions::a_group_is_rewound_only_when_empty,
    positions::nothing_arrives_while_paused,
    positions::positions_of_others_are_ignored;
    on brokers
    checks::a_reader_sees_everything_and_then_what_comes,
    checks::a_bus_has_the_id_that_it_was_given_first,
}
