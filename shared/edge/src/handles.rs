use std::io;

use rustix::process::{Resource, getrlimit, setrlimit};

/// Handles that are no connections of clients: databases, the broker, files, providers.
const OWN: usize = 256;
/// Connections that are served however few handles there are.
const LEAST: usize = 16;

/// Raises the soft limit of file handles to the hard limit. Answers how many there are then; `None` for no limit.
///
/// # Errors
/// If the operating system refuses.
pub fn raise_handle_limit() -> io::Result<Option<u64>> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit)?;
    }
    Ok(limit.current)
}

/// How many of `wanted` connections this many handles leave room for, beside `others` that have to fit as well.
#[must_use]
pub fn cap_connections(wanted: usize, others: usize, handles: Option<u64>) -> usize {
    let handles = handles.and_then(|handles| usize::try_from(handles).ok()).unwrap_or(usize::MAX);
    wanted.min(handles.saturating_sub(OWN + others).max(LEAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_handles_for_everything_else() {
        assert_eq!(cap_connections(2048, 128, None), 2048);
        assert_eq!(cap_connections(2048, 128, Some(524_288)), 2048);
        assert_eq!(cap_connections(2048, 128, Some(1024)), 640);
        assert_eq!(cap_connections(2048, 128, Some(64)), 16);
    }
}
