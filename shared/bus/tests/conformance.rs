//! One list of checks that every bus has to pass.
//!
//! The log and the broker in memory are always checked, Kafka if `QUINTET_TEST_KAFKA=HOST:PORT` names a broker. With
//! `QUINTET_TEST_REQUIRE_SERVERS=1` a missing broker is a failure.

#[path = "conformance/checks.rs"]
mod checks;
#[path = "conformance/dropped.rs"]
mod dropped;
#[path = "conformance/positions.rs"]
mod positions;
#[path = "conformance/readers.rs"]
mod readers;
#[path = "conformance/rig.rs"]
#[expect(dead_code, reason = "shared with the checks of Kafka only")]
mod rig;

/// Makes a test of each check for each bus. The checks after `on brokers` are only for buses that outlive a process.
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
    checks::no_record_behind_a_too_large_one_is_published,
    checks::an_empty_publish_does_nothing,
    checks::a_waiting_consumer_is_woken,
    checks::no_more_than_max_records_are_returned,
    checks::a_dropped_receive_loses_nothing,
    checks::two_producers_leave_no_gap,
    checks::two_groups_see_everything,
    checks::namespaces_do_not_see_each_other,
    positions::records_that_were_not_stored_come_again,
    positions::records_that_were_stored_before_close_do_not_come_again,
    positions::stored_offsets_reach_the_broker_by_themselves,
    positions::partitions_report_watermarks_and_lag,
    positions::only_a_group_without_members_can_be_rewound,
    positions::nothing_arrives_while_paused,
    positions::positions_of_foreign_partitions_are_ignored,
    readers::a_reader_sees_all_records_and_later_ones,
    readers::a_reader_from_the_end_sees_later_records_only,
    readers::a_reader_goes_on_where_another_one_was,
    readers::a_reader_disturbs_no_group,
    readers::no_more_than_max_records_are_read,
    readers::a_dropped_receive_of_a_reader_loses_nothing,
    readers::an_offset_beyond_the_end_is_out_of_reach;
    on brokers
    readers::an_offset_that_was_deleted_is_out_of_reach,
    readers::records_that_were_deleted_unread_are_not_passed_over,
    checks::a_bus_keeps_the_id_that_it_got_first,
}
