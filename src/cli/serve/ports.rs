//! Opens the ports of `trunkline serve`, and serves the API and the metrics on them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::readiness::readiness;
use super::supervisor::Supervisor;
use crate::api::auth::Auth;
use crate::api::background::Background;
use crate::api::grpc::{Admin, App, Calls, Clients, Queues};
use crate::api::metrics::{self, Metrics};
use crate::api::port::{Admission, Port};
use crate::api::server::{self, Services, Web};
use crate::api::tls::Certificate;
use crate::cli::descriptors;
use crate::cli::fault::Fault;
use crate::config::{ClientAuth, Config, ConnectionLimits, Timeouts};

/// How many connections wait in the kernel to be accepted, if the system allows as many.
const BACKLOG: u32 = 4096;

/// Ports that are open; connections wait in the kernel until [`Ports::answer`].
pub struct Ports {
    /// The certificate that new connections are shown, or None without TLS.
    pub certificate: Option<Arc<Certificate>>,
    api: TcpListener,
    /// The port for `/metrics`, or None if it is served on the API's port.
    metrics: Option<TcpListener>,
    /// Counts the connections of both ports.
    pub admission: Admission,
    timeouts: Timeouts,
    web: Web,
}

impl Ports {
    /// Opens the ports that the configuration names.
    ///
    /// # Errors
    /// Returns an error if the address is public and there is no TLS, the certificate cannot be used, or a port cannot
    /// be opened.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        config.check_public()?;
        let files = config.tls()?;
        let grpc_needs_certificate =
            files.as_ref().is_some_and(|files| files.client_ca.is_some() && files.client_auth == ClientAuth::Grpc);
        let certificate = files.map(Certificate::new).transpose().map_err(|error| Fault::Usage(error.to_string()))?;
        let timeouts = config.doors().timeouts();
        let web = Web {
            origins: config.cors_origins.0.clone(),
            is_tls: certificate.is_some(),
            grpc_needs_certificate,
            body_timeout: timeouts.body,
            bodies_per_client: config.doors().bodies_per_client(),
        };
        let admission = Admission::new(limits(config), config.trusted_proxies.clone());
        let api = listen(config.listen)?;
        let metrics = config.metrics_listen.map(listen).transpose()?;
        Ok(Self { certificate, api, metrics, admission, timeouts, web })
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
        let router =
            server::router(services, auth, readiness, here, &self.web, Background::start()?, app.stop.clone())?;
        if let Some(listener) = self.metrics {
            info!("metrics on {}", listener.local_addr()?);
            let port = Port::new(listener, None, self.admission.clone(), self.timeouts);
            let router = metrics::routes(metrics);
            supervisor.spawn("metrics", close, |close| port.run(router, close));
        }
        let port = Port::new(self.api, self.certificate, self.admission, self.timeouts);
        supervisor.spawn("api", close, |close| port.run(router, close));
        Ok(())
    }
}

/// Opens a port. The kernel keeps many connections until they are accepted: one that it has no room for would be tried
/// again by its client only after a second.
fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restarted server must not wait for the old connections to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().with_context(|| format!("cannot listen on {address}"))
}

/// Returns the limits on connections, within what the system allows this process.
fn limits(config: &Config) -> ConnectionLimits {
    let (doors, files) = (config.doors(), descriptors::raise());
    let limits = doors.connections(files);
    if let Some(wanted) = doors.wanted_connections().filter(|wanted| *wanted > limits.all) {
        warn!(
            files,
            "max_connections is {wanted}, but the process may not open so many files; it is {} until the limit is raised \
             (ulimit -n, LimitNOFILE)",
            limits.all
        );
    }
    limits
}
