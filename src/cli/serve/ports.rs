//! Opens the ports of `trunkline serve`, and serves the API and the metrics on them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::supervisor::Supervisor;
use crate::api::auth::Auth;
use crate::api::grpc::{Admin, App, Calls, Clients, Queues};
use crate::api::metrics::{self, Metrics};
use crate::api::port::Port;
use crate::api::readiness::Readiness;
use crate::api::server::{self, Services};
use crate::api::tls::Certificate;
use crate::cli::fault::Fault;
use crate::config::Config;
use crate::store::{Db, migrate};

/// Ports that are open; connections wait in the kernel until [`Ports::answer`].
pub struct Ports {
    /// The certificate that new connections are shown, or None without TLS.
    pub certificate: Option<Arc<Certificate>>,
    tls: Option<TlsAcceptor>,
    api: TcpListener,
    /// The port for `/metrics`, or None if it is served on the API's port.
    metrics: Option<TcpListener>,
}

impl Ports {
    /// Opens the ports that the configuration names.
    ///
    /// # Errors
    /// Returns an error if the certificate cannot be used, or a port cannot be opened.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let certificate =
            config.tls()?.map(Certificate::new).transpose().map_err(|error| Fault::Usage(error.to_string()))?;
        let tls = certificate.as_ref().map(Certificate::acceptor).transpose()?;
        let api = listen(config.listen).await?;
        let metrics = match config.metrics_listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        Ok(Self { certificate, tls, api, metrics })
    }

    /// Returns the address of the API's port.
    ///
    /// # Errors
    /// Returns the operating system's error.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.api.local_addr()
    }

    /// Starts a task for each port. A task ends after `close` is cancelled and its last request is answered.
    ///
    /// # Errors
    /// Returns an error if the descriptors for gRPC reflection cannot be read, or a port has no address.
    pub fn answer(
        self,
        app: &App,
        auth: Auth,
        metrics: Metrics,
        supervisor: &mut Supervisor,
        close: &CancellationToken,
    ) -> anyhow::Result<()> {
        let metrics = Arc::new(metrics);
        let here = self.metrics.is_none().then(|| Arc::clone(&metrics));
        let services = Services {
            admin: Arc::new(Admin(app.clone())),
            calls: Arc::new(Calls(app.clone())),
            clients: Arc::new(Clients(app.clone())),
            queues: Arc::new(Queues(app.clone())),
        };
        let readiness = readiness(app.db.clone(), app.stop.clone());
        supervisor.spawn("key watch", close, |stop| auth.clone().watch_streams(stop));
        let router = server::router(services, auth, readiness, here, app.stop.clone())?;
        if let Some(listener) = self.metrics {
            info!("metrics on {}", listener.local_addr()?);
            let (port, router) = (Port::new(listener, None), metrics::routes(metrics));
            supervisor.spawn("metrics", close, |close| port.run(router, close));
        }
        let port = Port::new(self.api, self.tls);
        supervisor.spawn("api", close, |close| port.run(router, close));
        Ok(())
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// The server is ready if the store can be reached, every migration is applied, and the server is not stopping.
fn readiness(db: Db, stop: CancellationToken) -> Readiness {
    Arc::new(move || {
        let (db, stopping) = (db.clone(), stop.is_cancelled());
        async move {
            if stopping {
                return Err("draining".to_owned());
            }
            // A task of its own, so that the query is finished even if the caller disconnects.
            let ready = tokio::spawn(async move { migrate::is_ready(&db).await }).await;
            match ready {
                Ok(Ok(true)) => Ok(()),
                Ok(Ok(false)) => Err("migrations are missing".to_owned()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => Err(error.to_string()),
            }
        }
        .boxed()
    })
}
