//! Limits how many bodies of one client are in memory at one time, and reads large ones where they slow down no one.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::Method;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use metrics::counter;
use moka::future::Cache;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::api::allowance::Allowance;
use crate::api::auth::{Caller, CallerKind};
use crate::api::background::Background;
use crate::api::context::{self, Protocol};
use crate::api::slow_bodies::is_stream;
use crate::api::{Error, fault};

/// The name of the limit, which is that of its setting.
const NAME: &str = "max_bodies_per_client";

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// When a client should try again whose requests have all waited in vain.
const RETRY: Duration = Duration::from_secs(1);

/// How many clients are counted at one time at most, and how long a client without requests is remembered.
const CLIENTS: u64 = 100_000;
const FORGET: Duration = Duration::from_mins(1);

/// The largest body, in bytes, that is read with the same priority as everything else. A batch of a hundred calls is
/// smaller.
const SMALL: u32 = 64 * 1024;

/// Counts the bodies of all clients. A clone shares the counts.
#[derive(Clone)]
pub struct Bodies {
    most: usize,
    clients: Cache<i64, Share>,
    background: Background,
}

/// What all requests of a client share.
#[derive(Clone)]
struct Share {
    turns: Arc<Semaphore>,
    allowance: Arc<Allowance>,
}

impl Bodies {
    /// Lets each client have `most` requests with a body in progress.
    #[must_use]
    pub fn new(most: usize, background: Background) -> Self {
        let clients = Cache::builder().max_capacity(CLIENTS).time_to_idle(FORGET).build();
        Self { most: most.min(Semaphore::MAX_PERMITS), clients, background }
    }
}

/// Reads the body of a request when it is its turn. So a client that sends many large bodies at once fills no more
/// memory than its share, and the others of its requests wait; those without a body do not.
pub async fn limit(State(bodies): State<Bodies>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().map(|caller| caller.kind);
    let has_body = request.method() != Method::GET && request.method() != Method::HEAD;
    if !has_body || is_stream(request.uri().path()) {
        return next.run(request).await;
    }
    let mut allowance = None;
    let _turn = match caller {
        Some(CallerKind::Client { client_id }) => {
            let new = async { Share { turns: Arc::new(Semaphore::new(bodies.most)), allowance: Arc::default() } };
            let share = bodies.clients.get_with(client_id, new).await;
            allowance = Some(share.allowance);
            // The semaphore is never closed.
            let Ok(Ok(turn)) = timeout(PATIENCE, share.turns.acquire_owned()).await else {
                counter!("trunkline_bodies_refused_total").increment(1);
                return fault::respond(Error::ResourceExhausted { limit: NAME, retry_after: RETRY });
            };
            Some(turn)
        }
        _ => None,
    };
    let (is_small, request) = is_small(request).await;
    if is_small {
        return next.run(request).await;
    }
    let request = match allowance {
        Some(allowance) => request.map(|body| spending(body, allowance)),
        None => request,
    };
    bodies.background.run(async move { next.run(request).await }).await
}

/// Returns a body that is read as fast as the client's allowance permits.
fn spending(body: Body, allowance: Arc<Allowance>) -> Body {
    let frames = BodyStream::new(body).then(move |frame| {
        let allowance = Arc::clone(&allowance);
        async move {
            let bytes = frame.as_ref().ok().and_then(|frame| frame.data_ref()).map_or(0, Bytes::len);
            allowance.spend(bytes).await;
            frame
        }
    });
    Body::new(StreamBody::new(frames))
}

/// Returns true if a request is known to have a small body, and the request with its whole body.
async fn is_small(request: Request) -> (bool, Request) {
    if context::protocol() == Protocol::Rest {
        // The length of a compressed body is unknown, because it has been taken from the headers.
        let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u32>().ok());
        return (length.is_some_and(|length| length <= SMALL), request);
    }
    // A message of gRPC begins with a byte that says if it is compressed, and four with its length.
    let (parts, mut body) = request.into_parts();
    let first = body.frame().await;
    let prefix = first.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()?.first_chunk::<5>().copied());
    let is_small = prefix.is_some_and(|[flag, length @ ..]| flag == 0 && u32::from_be_bytes(length) <= SMALL);
    let whole = stream::iter(first).chain(BodyStream::new(body));
    (is_small, Request::from_parts(parts, Body::new(StreamBody::new(whole))))
}
