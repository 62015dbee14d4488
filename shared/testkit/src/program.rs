//! Programs of Debian's packages that a test starts for itself.

use std::{
    net::TcpStream,
    path::{Path, PathBuf},
    process::Child,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::server;

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
/// Where Debian's packages put servers, and where else they may be found.
const PLACES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];

/// Where the program lies, if it is installed.
///
/// # Panics
/// If it is required and not there.
pub(crate) fn installed(name: &'static str) -> Option<PathBuf> {
    let mut places = PLACES.iter().map(|place| Path::new(place).join(name));
    server::found(places.find(|program| program.exists()), name)
}

/// Waits until the program listens on this port of 127.0.0.1.
///
/// # Panics
/// If it ends, or does not listen in time.
pub(crate) fn wait_until_it_listens(process: &mut Child, port: u16) {
    let give_up = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = process.try_wait().expect("it is ours");
        assert!(ended.is_none() && Instant::now() < give_up, "it does not listen: {ended:?}");
        sleep(POLL);
    }
}
