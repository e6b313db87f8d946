//! The one port, with or without TLS.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tracing::debug;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Handshakes at one time: more wait in the kernel's queue.
const HANDSHAKES: usize = 1024;

/// What accepts connections.
///
/// A handshake is a task of its own, so that a client that never ends its own keeps nobody waiting.
pub struct Port {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    handshakes: JoinSet<io::Result<(TlsStream<TcpStream>, SocketAddr)>>,
}

/// Whom a connection came from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Port>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Port>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Port {
    /// Speaks TLS where there is an acceptor.
    #[must_use]
    pub fn new(listener: TcpListener, tls: Option<TlsAcceptor>) -> Self {
        Self { listener, tls, handshakes: JoinSet::new() }
    }

    fn shake_hands(&mut self, tls: TlsAcceptor, stream: TcpStream, from: SocketAddr) {
        self.handshakes.spawn(async move {
            let done = timeout(HANDSHAKE, tls.accept(stream)).await;
            Ok((done.map_err(|_| io::Error::from(io::ErrorKind::TimedOut)).flatten()?, from))
        });
    }
}

impl Listener for Port {
    type Io = Either<TcpStream, TlsStream<TcpStream>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                (stream, from) = Listener::accept(&mut self.listener), if self.handshakes.len() < HANDSHAKES => {
                    // Small answers must not wait for the acknowledgement of the one before.
                    let _ = stream.set_nodelay(true);
                    match self.tls.clone() {
                        None => return (Either::Left(stream), from),
                        Some(tls) => self.shake_hands(tls, stream, from),
                    }
                }
                Some(done) = self.handshakes.join_next() => match done.map_err(io::Error::other).flatten() {
                    Ok((stream, from)) => return (Either::Right(stream), from),
                    Err(error) => debug!(%error, "a TLS handshake failed"),
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
