//! The feed on each bus: in memory, on the log, and on Kafka if `QUINTET_TEST_KAFKA=HOST:PORT` names a broker.

#[path = "feed/failures.rs"]
mod failures;
#[path = "feed/resets.rs"]
mod resets;
#[path = "feed/rig.rs"]
mod rig;
#[path = "feed/sessions.rs"]
mod sessions;

/// Makes a test of each check for each bus.
macro_rules! on_each_bus {
    ($($module:ident::$check:ident),+ $(,)?) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    crate::$module::$check(crate::rig::Rig::memory()).await;
                }
            )+
        }
        mod log {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    crate::$module::$check(crate::rig::Rig::log().await).await;
                }
            )+
        }
        mod kafka {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    if let Some(rig) = crate::rig::Rig::kafka().await {
                        crate::$module::$check(rig).await;
                    }
                }
            )+
        }
    };
}

on_each_bus! {
    sessions::a_subscriber_gets_what_its_filter_accepts_from_now_on,
    sessions::subscribers_that_begin_anywhere_get_each_record_once_while_others_publish,
    sessions::a_client_that_moves_between_replicas_gets_each_record_once,
    sessions::a_slow_subscriber_is_told_and_gets_the_rest_with_its_old_cursor,
    sessions::the_cursor_of_a_subscriber_that_gets_nothing_moves_on,
    resets::a_cursor_that_cannot_be_resumed_from_is_a_reset_and_the_present_follows,
    resets::garbage_is_a_clear_error,
    resets::a_stop_ends_subscribers_that_wait_and_that_catch_up,
}
