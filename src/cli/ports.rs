//! The ports of `trunkline serve`, and what answers on them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::fault::Fault;
use crate::api::auth::{AdminKey, Auth};
use crate::api::grpc::{Admin, App, Calls, Clients, Keys, Queues};
use crate::api::metrics::{self, Metrics};
use crate::api::port::{Peer, Port};
use crate::api::readiness::Readiness;
use crate::api::server::{self, Services};
use crate::api::tls::Certificate;
use crate::config::Config;
use crate::store::{Db, migrate};

/// Ports that are open, and answer nothing yet.
pub struct Ports {
    /// What new connections are shown; None without TLS.
    pub certificate: Option<Arc<Certificate>>,
    tls: Option<TlsAcceptor>,
    api: TcpListener,
    /// None where metrics are served on the API's.
    metrics: Option<TcpListener>,
}

impl Ports {
    /// Opens them.
    ///
    /// # Errors
    /// A certificate that cannot be read, or a port that is taken.
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

    /// Where the API is.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.api.local_addr()
    }

    /// Answers on all of them until `close`; the task ends with the last answer that was on its way then.
    ///
    /// # Errors
    /// None that is known: gRPC reflection is checked as it is set up.
    pub fn answer(
        self,
        app: &App,
        admin_key: AdminKey,
        metrics: Metrics,
        close: &CancellationToken,
    ) -> anyhow::Result<JoinHandle<io::Result<()>>> {
        let metrics = Arc::new(metrics);
        let here = self.metrics.is_none().then(|| Arc::clone(&metrics));
        let services = Services {
            admin: Arc::new(Admin(app.clone())),
            calls: Arc::new(Calls(app.clone())),
            clients: Arc::new(Clients(app.clone())),
            queues: Arc::new(Queues(app.clone())),
        };
        let auth = Auth::new(Arc::new(Keys(app.db.clone())), Some(admin_key));
        let readiness = readiness(app.db.clone(), app.stop.clone());
        let router = server::router(services, auth, readiness, here, app.stop.clone())?;
        if let Some(listener) = self.metrics {
            info!("metrics on {}", listener.local_addr()?);
            tokio::spawn(serve_metrics(listener, metrics::routes(metrics), close.clone()));
        }
        let (port, close) = (Port::new(self.api, self.tls), close.clone());
        let router = router.into_make_service_with_connect_info::<Peer>();
        Ok(tokio::spawn(async move { axum::serve(port, router).with_graceful_shutdown(close.cancelled_owned()).await }))
    }
}

async fn serve_metrics(listener: TcpListener, router: Router, close: CancellationToken) -> io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(close.cancelled_owned()).await
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Ready is: the store can be reached, has every migration, and the server is not stopping.
fn readiness(db: Db, stop: CancellationToken) -> Readiness {
    Arc::new(move || {
        let (db, stopping) = (db.clone(), stop.is_cancelled());
        async move {
            if stopping {
                return Err("draining".to_owned());
            }
            // In a task of its own, so that a caller who hangs up leaves no query half-way.
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
