//! Gives up a gRPC request whose body takes too long. REST has a deadline for the whole request.

use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use metrics::counter;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

use crate::api::Error;
use crate::pb::DESCRIPTORS;

/// How fast a body must be received after the first moments, in bytes per second.
const SLOWEST: u32 = 4096;

/// A body that must be received in time: within the timeout, and one second more for each [`SLOWEST`] bytes.
struct Timed {
    body: Body,
    timeout: Duration,
    received: u64,
    /// Set when the body is first read.
    sleep: Option<(Instant, Pin<Box<Sleep>>)>,
}

/// Limits how long the body of a request may take, unless it is a stream of messages that lasts as long as its client
/// wants it to.
pub async fn limit(State(timeout): State<Duration>, request: Request, next: Next) -> Response {
    if is_stream(request.uri().path()) {
        return next.run(request).await;
    }
    let timed = |body| Body::new(Timed { body, timeout, received: 0, sleep: None });
    next.run(request.map(timed)).await
}

/// Returns true if clients stream messages to the method at this path. Reflection, which needs no key, does not count:
/// its clients send what they want to know at once.
pub fn is_stream(path: &str) -> bool {
    static STREAMS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let methods = DESCRIPTORS.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let streams = methods.filter(prost_reflect::MethodDescriptor::is_client_streaming);
        let streams = streams.filter(|method| method.full_name().starts_with("trunkline."));
        streams.map(|method| format!("/{}/{}", method.parent_service().full_name(), method.name())).collect()
    });
    STREAMS.iter().any(|stream| stream == path)
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
            this.received += u64::try_from(bytes).unwrap_or(u64::MAX);
            return Poll::Ready(frame);
        }
        let (began, sleep) = this.sleep.get_or_insert_with(|| {
            let began = Instant::now();
            (began, Box::pin(sleep_until(began + this.timeout)))
        });
        let end = *began + this.timeout + Duration::from_secs(this.received / u64::from(SLOWEST));
        if sleep.deadline() != end {
            sleep.as_mut().reset(end);
        }
        ready!(sleep.as_mut().poll(cx));
        counter!("trunkline_slow_bodies_total").increment(1);
        Poll::Ready(Some(Err(axum::Error::new(Status::from(Error::DeadlineExceeded)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt as _;
    use tokio::time::sleep;

    use super::*;

    /// Receives so many bytes every second.
    async fn collect(bytes: usize, seconds: usize) -> Result<usize, axum::Error> {
        let chunks = stream::unfold(0, move |second| async move {
            if second == seconds {
                return None;
            }
            sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>(vec![0; bytes]), second + 1))
        });
        let body = Body::from_stream(chunks);
        let timed = Timed { body, timeout: Duration::from_secs(30), received: 0, sleep: None };
        Ok(timed.collect().await?.to_bytes().len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up_and_a_large_one_is_not() {
        assert_eq!(collect(10, 20).await.unwrap(), 200, "it is whole in time");
        assert!(collect(10, 100).await.is_err());
        assert_eq!(collect(8192, 500).await.unwrap(), 8192 * 500, "it is fast enough");
    }

    #[test]
    fn the_stream_of_items_may_take_as_long_as_it_needs() {
        assert!(is_stream("/trunkline.v1.QueueService/StreamItems"));
        assert!(!is_stream("/trunkline.v1.QueueService/InsertBatch"));
        assert!(!is_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
    }
}
