//! The public and the admin listener of a service.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use edge::{Listener, Server};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    App, Config, Service,
    http::with_origins,
    router::{admin_router, public_router},
};

/// Both listeners, bound: clients can connect, and wait until [`answer_http`] answers them.
pub(crate) struct Sockets {
    public: TcpListener,
    admin: TcpListener,
}

impl Sockets {
    /// Binds the addresses of `listen` and `admin_listen`.
    ///
    /// # Errors
    /// If an address cannot be bound; the error names the setting.
    pub(crate) async fn bind(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            public: bind("listen", config.listen).await?,
            admin: bind("admin_listen", config.admin_listen).await?,
        })
    }
}

async fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{setting} = {address}"))
}

/// Answers requests on both listeners, each in a task that ends when `stopped` turns true and its requests
/// are answered.
pub(crate) fn answer_http<S: Service>(
    config: &Config,
    sockets: Sockets,
    app: App<S>,
    server: &Arc<Server>,
    stopped: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let public = public_router::<S>(app.clone());
    let listeners = [
        Listener {
            name: "public",
            socket: sockets.public,
            limits: config.http.limits(),
            router: with_origins(public, &config.cors.origins, S::WRITABLE_BY_PAGES),
        },
        Listener {
            name: "admin",
            socket: sockets.admin,
            limits: config.http.admin_limits(),
            router: admin_router::<S>(app),
        },
    ];
    let spawn = |listener| {
        let (server, stopped) = (Arc::clone(server), stopped.clone());
        tokio::spawn(async move { server.serve(listener, stopped).await })
    };
    listeners.map(spawn).into()
}
