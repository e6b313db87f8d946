//! A port of the server: accepts connections, with or without TLS, and serves requests on them.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How many TLS handshakes run at one time; further connections wait in the kernel's queue.
const HANDSHAKES: usize = 1024;

/// The pause after a connection could not be accepted, for example because too many files are open.
const ACCEPT_RETRY: Duration = Duration::from_secs(1);

/// An open port of the server.
pub struct Port {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

/// The address of the client at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Accepts connections for axum.
///
/// Each TLS handshake runs in a task of its own, so that a client that never completes its own keeps no one waiting.
struct Connections {
    port: Port,
    handshakes: JoinSet<io::Result<(TlsStream<TcpStream>, SocketAddr)>>,
    /// Tells [`Port::run`] that the socket listens no longer. axum offers no way to return such an error.
    broken: Option<oneshot::Sender<io::Error>>,
}

impl Connected<IncomingStream<'_, Connections>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Port {
    /// Speaks TLS if there is an acceptor, else plain HTTP.
    #[must_use]
    pub fn new(listener: TcpListener, tls: Option<TlsAcceptor>) -> Self {
        Self { listener, tls }
    }

    /// Serves `router` until `stop` is cancelled, and returns after the last request has been answered.
    ///
    /// # Errors
    /// Returns the operating system's error if the socket listens no longer. Its connections
    /// are served to their end.
    pub async fn run(self, router: Router, stop: CancellationToken) -> io::Result<()> {
        let (broken, is_broken) = oneshot::channel();
        let connections = Connections { port: self, handshakes: JoinSet::new(), broken: Some(broken) };
        let router = router.into_make_service_with_connect_info::<Peer>();
        let served = axum::serve(connections, router).with_graceful_shutdown(stop.cancelled_owned());
        tokio::select! {
            served = served.into_future() => served,
            Ok(error) = is_broken => Err(error),
        }
    }

    /// Accepts the next connection.
    ///
    /// # Errors
    /// Returns an error only if there can be no next one. Other errors are logged, and it tries again.
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            match self.listener.accept().await {
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
}

impl Connections {
    fn shake_hands(&mut self, tls: TlsAcceptor, stream: TcpStream, from: SocketAddr) {
        self.handshakes.spawn(async move {
            let done = timeout(HANDSHAKE, tls.accept(stream)).await;
            Ok((done.map_err(|_| io::Error::from(ErrorKind::TimedOut)).flatten()?, from))
        });
    }
}

impl Listener for Connections {
    type Io = Either<TcpStream, TlsStream<TcpStream>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                accepted = self.port.accept(), if self.handshakes.len() < HANDSHAKES => match accepted {
                    Ok((stream, from)) => {
                        // Small responses must not wait for the acknowledgement of the one before.
                        let _ = stream.set_nodelay(true);
                        match self.port.tls.clone() {
                            None => return (Either::Left(stream), from),
                            Some(tls) => self.shake_hands(tls, stream, from),
                        }
                    }
                    Err(error) => {
                        if let Some(broken) = self.broken.take() {
                            let _ = broken.send(error);
                        }
                        // `Port::run` drops this future now.
                        std::future::pending::<()>().await;
                    }
                },
                Some(done) = self.handshakes.join_next() => match done.map_err(io::Error::other).flatten() {
                    Ok((stream, from)) => return (Either::Right(stream), from),
                    Err(error) => debug!(%error, "a TLS handshake failed"),
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.port.listener.local_addr()
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
