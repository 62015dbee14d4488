//! How a loop learns that the service stops.

use tokio::sync::watch;

/// Returns once the service is told to stop, or once the sender of that signal is gone.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
