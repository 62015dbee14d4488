//! A PgBouncer that a test starts in front of PostgreSQL.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{Ports, program, server};

/// A PgBouncer for one test, in front of the tests' PostgreSQL, with its own defaults.
#[derive(Debug)]
pub struct PgBouncer {
    process: Child,
    ports: Ports,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts a PgBouncer with this `pool_mode`; `None` if it is not installed, or no server is named.
    ///
    /// # Panics
    /// If it is required and not installed, or does not listen.
    #[must_use]
    pub fn start(pool_mode: &str) -> Option<Self> {
        Self::start_with(pool_mode, "")
    }

    /// As [`PgBouncer::start`], with a single session of the server for each database.
    ///
    /// # Panics
    /// As [`PgBouncer::start`].
    #[must_use]
    pub fn start_with_one_session(pool_mode: &str) -> Option<Self> {
        Self::start_with(pool_mode, "default_pool_size = 1")
    }

    fn start_with(pool_mode: &str, more: &str) -> Option<Self> {
        let postgres = server::postgres()?;
        let program = program::installed("pgbouncer")?;
        let (user, address) = postgres.trim_start_matches("postgres://").split_once('@')?;
        let (host, port) = address.trim_end_matches('/').split_once(':')?;
        let (ports, folder) = (Ports::free(), tempfile::tempdir().expect("a folder"));
        let file = folder.path().join("pgbouncer.ini");
        let settings = format!(
            "[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {}
unix_socket_dir =
auth_type = any
pool_mode = {pool_mode}
{more}
logfile = {}
",
            ports.first(),
            folder.path().join("log").display()
        );
        fs::write(&file, settings).expect("a file");
        let mut command = Command::new(program);
        // PgBouncer refuses to run as root.
        if fs::metadata("/proc/self")
            .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
        {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            fs::set_permissions(folder.path(), open).expect("the folder is opened");
            command.args(["-u", "nobody"]);
        }
        let process = command.arg(&file).stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.expect("PgBouncer starts");
        let mut bouncer = Self { process, ports, _folder: folder };
        program::wait_until_it_listens(&mut bouncer.process, bouncer.ports.first());
        Some(bouncer)
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.first())
    }

    /// Changes the URL of a database so that it leads through the pooler.
    ///
    /// # Panics
    /// If the URL has no user or no database.
    #[must_use]
    pub fn in_front_of(&self, url: &str) -> String {
        let (user, rest) = url.split_once('@').expect("a user");
        let (_, database) = rest.split_once('/').expect("a database");
        format!("{user}@{}/{database}", self.address())
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
