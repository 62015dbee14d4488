//! Finds and watches programs of Debian's packages, which tests start.

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
/// The folders in which servers are looked for. Debian's packages put them into the first, which may not be in `PATH`.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];

/// The path of a program; `None` if it is not installed.
///
/// # Panics
/// If it is required and not installed.
pub(crate) fn installed(name: &'static str) -> Option<PathBuf> {
    let mut paths = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
    server::found(paths.find(|program| program.exists()), name)
}

/// Waits until the program listens on this port of 127.0.0.1.
///
/// # Panics
/// If it ends, or does not listen in time.
pub(crate) fn wait_until_it_listens(process: &mut Child, port: u16) {
    let give_up = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let ended = process.try_wait().expect("the process can be waited for");
        assert!(
            ended.is_none() && Instant::now() < give_up,
            "the program does not listen: {ended:?}"
        );
        sleep(POLL);
    }
}
