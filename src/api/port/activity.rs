//! What a connection has been doing, and when it has taken too long.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::api::port::admission::Permit;
use crate::config::Timeouts;

/// The bytes with which an HTTP/2 connection begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection is doing. Its requests, its reads and its writes report to it.
pub struct Activity(Mutex<State>);

/// A request in progress. It ends when this is dropped.
pub struct InProgress(Arc<Activity>);

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// The first line and the headers of a request took too long.
    Head,
    /// There was no request for too long.
    Idle,
    /// The client did not read what it was sent.
    Write,
}

struct State {
    permit: Permit,
    protocol: Protocol,
    in_progress: usize,
    /// Since when there has been no request.
    idle_since: Instant,
    /// Since when the first line and the headers of the next request are awaited; None if no part of them has been
    /// received.
    head_since: Option<Instant>,
    /// Since when a write has been waiting for the client to read.
    stalled_since: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// So many bytes have been received, which are the beginning of the preface.
    Unknown(usize),
    Http1,
    Http2,
}

impl Overdue {
    /// Returns the name for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "header-timeout",
            Self::Idle => "idle-timeout",
            Self::Write => "write-timeout",
        }
    }
}

impl Activity {
    /// Begins with a connection that has just been opened, whose first request is awaited from now on.
    #[must_use]
    pub fn new(permit: Permit) -> Arc<Self> {
        let now = Instant::now();
        let (protocol, head_since) = (Protocol::Unknown(0), Some(now));
        let state = State { permit, protocol, in_progress: 0, idle_since: now, head_since, stalled_since: None };
        Arc::new(Self(Mutex::new(state)))
    }

    /// Notes that a request has begun.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> InProgress {
        let mut state = self.lock();
        state.in_progress += 1;
        state.head_since = None;
        if state.in_progress == 1 {
            state.permit.busy();
        }
        InProgress(Arc::clone(self))
    }

    /// Returns true if no request is in progress.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.lock().in_progress == 0
    }

    /// Returns when to check again.
    ///
    /// # Errors
    /// Returns what has taken too long.
    pub fn check(&self, timeouts: &Timeouts, now: Instant) -> Result<Instant, Overdue> {
        let state = self.lock();
        let mut waits = Vec::with_capacity(2);
        if let Some(since) = state.stalled_since {
            waits.push((since + timeouts.write, Overdue::Write));
        }
        match state.head_since {
            _ if state.in_progress > 0 => {}
            Some(since) => waits.push((since + timeouts.header, Overdue::Head)),
            None => waits.push((state.idle_since + timeouts.idle, Overdue::Idle)),
        }
        // What begins after this check is noticed soon enough if nothing is awaited for longer than this.
        let mut next = now + timeouts.header;
        for (end, overdue) in waits {
            if end <= now {
                return Err(overdue);
            }
            next = next.min(end);
        }
        Ok(next)
    }

    fn received(&self, bytes: &[u8]) {
        let mut state = self.lock();
        if let Protocol::Unknown(seen) = state.protocol {
            let rest = PREFACE.get(seen..).unwrap_or_default();
            state.protocol = if bytes.starts_with(rest) {
                // The server answers the preface, and pings from then on.
                state.head_since = None;
                state.idle_since = Instant::now();
                Protocol::Http2
            } else if rest.starts_with(bytes) {
                Protocol::Unknown(seen + bytes.len())
            } else {
                Protocol::Http1
            };
        } else if state.protocol == Protocol::Http1 && state.in_progress == 0 && state.head_since.is_none() {
            state.head_since = Some(Instant::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.in_progress -= 1;
        if state.in_progress == 0 {
            state.idle_since = Instant::now();
            state.permit.idle();
        }
    }
}

/// A stream that reports what is received, and writes that do not succeed.
pub struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    is_stalled: bool,
}

impl<S> Watched<S> {
    /// Makes a stream that reports to `activity`.
    pub const fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity, is_stalled: false }
    }

    fn wrote<T>(&mut self, written: Poll<T>) -> Poll<T> {
        if written.is_pending() != self.is_stalled {
            self.is_stalled = !self.is_stalled;
            self.activity.lock().stalled_since = self.is_stalled.then(Instant::now);
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(received) = buf.filled().get(before..).filter(|received| !received.is_empty()) {
            self.activity.received(received);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.wrote(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.wrote(shut)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;
    use crate::api::port::admission::Admission;
    use crate::config::ConnectionLimits;
    use crate::domain::networks::Networks;

    const TIMEOUTS: Timeouts = Timeouts {
        handshake: Duration::from_secs(10),
        header: Duration::from_secs(10),
        body: Duration::from_secs(30),
        idle: Duration::from_secs(120),
        write: Duration::from_secs(60),
    };

    const LIMITS: ConnectionLimits =
        ConnectionLimits { all: 1, per_source: 1, handshakes_per_source: 1, new_per_source: 1 };

    fn activity() -> Arc<Activity> {
        let admission = Admission::new(LIMITS, Networks::default());
        Activity::new(admission.admit(SocketAddr::from(([192, 0, 2, 1], 1))).unwrap())
    }

    fn overdue(activity: &Activity) -> Option<Overdue> {
        activity.check(&TIMEOUTS, Instant::now()).err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_is_never_complete_is_overdue_however_often_a_byte_is_received() {
        let activity = activity();
        for byte in b"GET / HTT" {
            assert_eq!(overdue(&activity), None);
            activity.received(&[*byte]);
            advance(Duration::from_secs(1)).await;
        }
        advance(Duration::from_secs(1)).await;
        assert_eq!(overdue(&activity), Some(Overdue::Head));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_requests_may_be_idle_for_longer_than_a_head_may_take() {
        let activity = activity();
        activity.received(b"GET / HTTP/1.1\r\n\r\n");
        let request = activity.begin();
        advance(Duration::from_secs(1000)).await;
        assert_eq!(overdue(&activity), None, "a request may take as long as it needs");
        drop(request);
        advance(Duration::from_secs(119)).await;
        assert_eq!(overdue(&activity), None);
        advance(Duration::from_secs(1)).await;
        assert_eq!(overdue(&activity), Some(Overdue::Idle));
        activity.received(b"G");
        assert_eq!(overdue(&activity), None);
        advance(Duration::from_secs(10)).await;
        assert_eq!(overdue(&activity), Some(Overdue::Head));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_of_http_2_may_be_idle_although_pings_are_received() {
        let activity = activity();
        activity.received(&PREFACE[..3]);
        advance(Duration::from_secs(9)).await;
        activity.received(&PREFACE[3..]);
        for _ in 0..11 {
            advance(Duration::from_secs(10)).await;
            activity.received(b"a ping");
            assert_eq!(overdue(&activity), None);
        }
        advance(Duration::from_secs(10)).await;
        assert_eq!(overdue(&activity), Some(Overdue::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a_preface_that_is_never_complete_is_overdue() {
        let activity = activity();
        activity.received(&PREFACE[..20]);
        advance(Duration::from_secs(10)).await;
        assert_eq!(overdue(&activity), Some(Overdue::Head));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_overdue_even_during_a_request() {
        let activity = activity();
        let _request = activity.begin();
        let mut watched = Watched::new((), Arc::clone(&activity));
        assert!(watched.wrote(Poll::<()>::Pending).is_pending());
        advance(Duration::from_secs(59)).await;
        assert!(watched.wrote(Poll::<()>::Pending).is_pending());
        assert_eq!(overdue(&activity), None);
        advance(Duration::from_secs(1)).await;
        assert_eq!(overdue(&activity), Some(Overdue::Write));
        assert!(watched.wrote(Poll::Ready(())).is_ready());
        assert_eq!(overdue(&activity), None);
    }
}
