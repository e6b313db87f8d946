//! A port of the server: accepts connections within their limits, with or without TLS, and serves requests on them.

mod activity;
mod admission;
mod connection;
mod source;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use metrics::counter;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

pub use self::admission::Admission;
use self::admission::Full;
use self::connection::Connections;
pub use self::connection::Peer;
use crate::api::tls::Certificate;
use crate::config::Timeouts;

/// The pause after a connection could not be accepted, for example because too many files are open.
const ACCEPT_RETRY: Duration = Duration::from_secs(1);

/// How often the log says that connections are refused.
const WARN_INTERVAL: Duration = Duration::from_mins(1);

/// An open port of the server.
pub struct Port {
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    admission: Admission,
    timeouts: Timeouts,
    warned: Option<Instant>,
}

impl Port {
    /// Speaks TLS if there is a certificate, else plain HTTP. Ports that share an admission share its limits.
    #[must_use]
    pub fn new(
        listener: TcpListener,
        certificate: Option<Arc<Certificate>>,
        admission: Admission,
        timeouts: Timeouts,
    ) -> Self {
        Self { listener, certificate, admission, timeouts, warned: None }
    }

    /// Serves `router` until `stop` is cancelled, and returns after the last request has been answered.
    ///
    /// # Errors
    /// Returns the operating system's error if the socket listens no longer. Its connections are served to their end.
    pub async fn run(mut self, router: Router, stop: CancellationToken) -> io::Result<()> {
        let connections = Connections::new(router, self.certificate.take(), self.timeouts, stop.clone());
        let connections = Arc::new(connections);
        let mut serving = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(done) = serving.join_next() => {
                    if let Err(error) = done {
                        error!(%error, "the task of a connection failed");
                    }
                }
                accepted = accept(&self.listener) => match accepted {
                    // Each connection, and its TLS handshake, has a task of its own: none keeps others waiting.
                    Ok((stream, from)) => match self.admission.admit(from) {
                        Ok(permit) => {
                            let connections = Arc::clone(&connections);
                            serving.spawn(async move { connections.serve(stream, from, permit).await });
                            // Those who open thousands of connections take turns with the requests of others.
                            yield_now().await;
                        }
                        Err(full) => self.refused(full, from),
                    },
                    Err(error) => {
                        serving.detach_all();
                        return Err(error);
                    }
                },
            }
        }
        drop(self.listener);
        while serving.join_next().await.is_some() {}
        Ok(())
    }

    fn refused(&mut self, full: Full, from: SocketAddr) {
        let limit = full.as_str();
        counter!("trunkline_connections_refused_total", "limit" => limit).increment(1);
        let now = Instant::now();
        if self.warned.is_none_or(|warned| now - warned >= WARN_INTERVAL) {
            self.warned = Some(now);
            warn!(%from, "refused a connection, because {limit} is reached; the next such line is at least 1 min away");
        }
    }
}

/// Accepts the next connection.
///
/// # Errors
/// Returns an error only if there can be no next one. Other errors are logged, and it tries again.
async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    loop {
        match listener.accept().await {
            Ok(accepted) => return Ok(accepted),
            // The client gave up while it waited in the kernel's queue.
            Err(error) if is_of_the_client(&error) => {}
            // EINVAL: the socket is not listening.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                return Err(io::Error::other(format!("the port no longer accepts connections: {error}")));
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection; trying again in {ACCEPT_RETRY:?}");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
