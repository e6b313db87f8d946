//! The body of a stream that ends with an error as soon as the caller's key is no longer valid.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::Status;

use crate::api::context::Protocol;
use crate::api::fault;

/// A body that is cut off with an error.
pub struct EndingBody {
    /// The body of the stream; None after the error.
    inner: Option<Body>,
    ended: BoxFuture<'static, Status>,
    protocol: Protocol,
}

impl EndingBody {
    /// Makes a body that is `inner` until `ended` is ready, and then ends with its error in the form of the protocol:
    /// trailers, or the last of the Server-Sent Events.
    pub fn new(inner: Body, ended: impl Future<Output = Status> + Send + 'static, protocol: Protocol) -> Self {
        Self { inner: Some(inner), ended: ended.boxed(), protocol }
    }
}

impl HttpBody for EndingBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.inner.is_none() {
            return Poll::Ready(None);
        }
        // First, because a stream that catches up always has something to send.
        if let Poll::Ready(status) = self.ended.poll_unpin(context) {
            self.inner = None;
            return Poll::Ready(Some(Ok(last_frame(&status, self.protocol))));
        }
        match &mut self.inner {
            Some(inner) => Pin::new(inner).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

fn last_frame(status: &Status, protocol: Protocol) -> Frame<Bytes> {
    match protocol {
        Protocol::Rest => Frame::data(format!("event: error\ndata: {}\n\n", fault::event(status)).into()),
        // The layer of gRPC-web turns trailers into a message.
        Protocol::Grpc | Protocol::GrpcWeb => {
            let mut trailers = HeaderMap::new();
            if let Err(unwritable) = status.add_header(&mut trailers) {
                tracing::error!(error = %unwritable, "cannot write the trailers of a stream");
            }
            Frame::trailers(trailers)
        }
    }
}
