//! An nginx that a test starts in front of a service.

use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{Ports, program};

/// An nginx for one test, with its own defaults and those of Debian's package.
#[derive(Debug)]
pub struct Nginx {
    process: Child,
    ports: Ports,
    _folder: TempDir,
}

impl Nginx {
    /// Starts an nginx that passes requests on to this address; `None` if nginx is not installed.
    ///
    /// # Panics
    /// If nginx is required and not installed, or does not listen.
    #[must_use]
    pub fn in_front_of(address: SocketAddr) -> Option<Self> {
        let program = program::installed("nginx")?;
        let (ports, folder) = (Ports::free(), tempfile::tempdir().expect("a folder"));
        let place = folder.path().display();
        let settings = format!(
            "daemon off;
pid {place}/pid;
error_log {place}/log;
events {{ worker_connections 768; }}
http {{
    sendfile on;
    tcp_nopush on;
    gzip on;
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    server {{
        listen 127.0.0.1:{};
        location / {{ proxy_pass http://{address}; }}
    }}
}}
",
            ports.first()
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, settings).expect("a file");
        let mut command = Command::new(program);
        command.arg("-c").arg(&file).arg("-e").arg(folder.path().join("log"));
        let process = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut nginx = Self { process: process.expect("nginx starts"), ports, _folder: folder };
        program::wait_until_it_listens(&mut nginx.process, nginx.ports.first());
        Some(nginx)
    }

    /// The URL at which it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.first())
    }
}

impl Drop for Nginx {
    /// Sends SIGTERM, nginx' fast shutdown. After SIGKILL its worker process would live on.
    fn drop(&mut self) {
        let terminate = format!("kill -TERM {}", self.process.id());
        let _ = Command::new("sh").args(["-c", &terminate]).status();
        let _ = self.process.wait();
    }
}
