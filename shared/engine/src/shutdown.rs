//! How a loop learns that the service stops.

use tokio::sync::watch;

/// Returns once the service is told to stop, or once nothing is left that could tell it.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
