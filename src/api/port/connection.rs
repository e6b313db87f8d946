//! Serves the requests of one connection, over HTTP/1.1 or HTTP/2, with or without TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use metrics::counter;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tower::Service as _;
use tracing::debug;

use crate::api::port::activity::{Activity, InProgress, Overdue, Watched};
use crate::api::port::admission::Permit;
use crate::api::tls::{Certificate, Verified};
use crate::config::Timeouts;

/// The most bytes of the first line and the headers of a request, and of an answer that waits to be written, over
/// HTTP/1.1.
const BUFFER: usize = 64 * 1024;

/// The most bytes of an answer that wait for a client to read a stream of HTTP/2.
const STREAM_BUFFER: usize = 64 * 1024;

/// How often a client of HTTP/2 is asked whether it is still there, and how long it may take to answer.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a connection that has broken the rules of HTTP stays open, without being read. It counts in the limits of its
/// source, so that a source cannot make the server begin and end connections without a pause.
const PENALTY: Duration = Duration::from_secs(1);

/// How long a connection without requests may take to close after its client was told.
const CLOSING: Duration = Duration::from_secs(2);

/// The address of the client at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// What all connections of a port have in common.
pub struct Connections {
    router: Router,
    certificate: Option<Arc<Certificate>>,
    timeouts: Timeouts,
    http: auto::Builder<TokioExecutor>,
    stop: CancellationToken,
}

/// The body of an answer. Its request is in progress until it has been sent or is dropped.
struct Answer {
    body: Body,
    _request: InProgress,
}

impl Connections {
    /// Serves requests with `router`, and closes connections after their last request once `stop` is cancelled.
    #[must_use]
    pub fn new(
        router: Router,
        certificate: Option<Arc<Certificate>>,
        timeouts: Timeouts,
        stop: CancellationToken,
    ) -> Self {
        let mut http = auto::Builder::new(TokioExecutor::new());
        // hyper would count the time between two requests as a part of the second one's headers. `Activity` does not.
        http.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(BUFFER);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .max_send_buf_size(STREAM_BUFFER);
        Self { router, certificate, timeouts, http, stop }
    }

    /// Serves a connection to its end, or until it has to make room for another one.
    pub async fn serve(&self, stream: TcpStream, from: SocketAddr, permit: Permit) {
        let closed = permit.closed();
        let reason = tokio::select! {
            reason = self.handshake(stream, from, permit) => reason,
            () = closed.cancelled() => Some("made-room"),
        };
        if let Some(reason) = reason {
            counter!("trunkline_connections_closed_total", "reason" => reason).increment(1);
            debug!(%from, reason, "closed a connection");
        }
    }

    /// Returns why the connection was closed, if its client has not closed it and had not asked to.
    async fn handshake(&self, stream: TcpStream, from: SocketAddr, permit: Permit) -> Option<&'static str> {
        // Small responses must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let Some(certificate) = &self.certificate else { return self.requests(stream, from, false, permit).await };
        let shaken = timeout(self.timeouts.handshake, certificate.acceptor().accept(stream));
        let shaken = self.stop.run_until_cancelled(shaken).await?;
        match shaken {
            Ok(Ok(stream)) => {
                let is_verified = stream.get_ref().1.peer_certificates().is_some();
                self.requests(stream, from, is_verified, permit).await
            }
            Ok(Err(error)) => {
                debug!(%from, %error, "a TLS handshake failed");
                Some("handshake-failed")
            }
            Err(_) => Some("handshake-timeout"),
        }
    }

    async fn requests<S>(&self, stream: S, from: SocketAddr, is_verified: bool, permit: Permit) -> Option<&'static str>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new(permit);
        let stream = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
        let (router, requests) = (self.router.clone(), Arc::clone(&activity));
        let service = service_fn(move |request: Request<Incoming>| {
            let in_progress = requests.begin();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(Peer(from)));
            if is_verified {
                request.extensions_mut().insert(Verified);
            }
            let answer = router.clone().call(request);
            async move {
                let Ok(answer) = answer.await;
                Ok::<Response<Answer>, Infallible>(answer.map(|body| Answer { body, _request: in_progress }))
            }
        });
        let mut connection = pin!(self.http.serve_connection(stream, service));
        let (mut overdue, mut next) = (None, Instant::now());
        let mut closing: Option<Instant> = None;
        loop {
            tokio::select! {
                done = connection.as_mut() => {
                    if let Err(error) = done {
                        debug!(%from, %error, "a connection failed");
                        // Its client would open the next one at once.
                        let _ = self.stop.run_until_cancelled(sleep(PENALTY)).await;
                    }
                    return overdue.map(Overdue::as_str);
                }
                () = self.stop.cancelled(), if closing.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    closing = Some(Instant::now() + CLOSING);
                }
                () = sleep_until(next) => match activity.check(&self.timeouts, Instant::now()) {
                    Ok(later) => next = later,
                    Err(Overdue::Idle) if closing.is_none() => {
                        overdue = Some(Overdue::Idle);
                        connection.as_mut().graceful_shutdown();
                        closing = Some(Instant::now() + CLOSING);
                        next = Instant::now() + CLOSING;
                    }
                    Err(overdue) => return Some(overdue.as_str()),
                },
                () = sleep_until(closing.unwrap_or(next)), if closing.is_some() => {
                    if activity.is_idle() {
                        return overdue.map(Overdue::as_str);
                    }
                    closing = Some(Instant::now() + CLOSING);
                }
            }
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
