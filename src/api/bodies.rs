//! Limits how many bodies of one client are in memory at one time.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use metrics::counter;
use moka::future::Cache;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::api::auth::{Caller, CallerKind};
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

/// Counts the bodies of all clients. A clone shares the counts.
#[derive(Clone)]
pub struct Bodies {
    most: usize,
    clients: Cache<i64, Arc<Semaphore>>,
}

impl Bodies {
    /// Lets each client have `most` requests with a body in progress.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        Self { most, clients: Cache::builder().max_capacity(CLIENTS).time_to_idle(FORGET).build() }
    }
}

/// Reads the body of a request when it is its turn. So a client that sends many large bodies at once fills no more
/// memory than its share, and the others of its requests wait; those without a body do not.
pub async fn limit(State(bodies): State<Bodies>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().map(|caller| caller.kind);
    let has_body = request.method() != Method::GET && request.method() != Method::HEAD;
    let has_body = has_body && !is_stream(request.uri().path());
    let Some(CallerKind::Client { client_id }) = caller.filter(|_| has_body) else { return next.run(request).await };
    let turns = bodies.clients.get_with(client_id, async { Arc::new(Semaphore::new(bodies.most)) }).await;
    // The semaphore is never closed.
    let Ok(Ok(_turn)) = timeout(PATIENCE, turns.acquire()).await else {
        counter!("trunkline_bodies_refused_total").increment(1);
        return fault::respond(Error::ResourceExhausted { limit: NAME, retry_after: RETRY });
    };
    next.run(request).await
}
