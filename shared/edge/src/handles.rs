use std::io;

use rustix::process::{Resource, getrlimit, setrlimit};

/// How many handles are not for connections of clients, but for databases, the broker, files, providers.
const OWN: usize = 256;
/// How many connections are served however few handles there are.
const LEAST: usize = 16;

/// Raises the soft limit on file handles to the hard limit, and returns the new limit; `None` for no limit.
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

/// How many of `wanted` connections are possible with this many handles, if there are `others` besides.
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
