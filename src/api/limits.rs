//! How many requests a second each client may make: a layer behind authentication, for REST and gRPC alike.
//!
//! Each node counts by itself. A limit that is changed holds as soon as the client's key is looked up again, which is
//! within half a second.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::future::Cache;

use crate::api::auth::{Caller, CallerKind, RequestsPerSecond};
use crate::api::{Error, fault};

/// The limit's name, as in the client's limits.
const NAME: &str = "requests_per_second";

/// Clients that are counted at one time at most.
const CLIENTS: u64 = 100_000;

/// A client that has been silent for so long has its whole burst again, at any rate that is worth naming.
const FORGET: Duration = Duration::from_secs(3600);

/// Between two requests at the slowest.
const SLOWEST: Duration = Duration::from_secs(24 * 3600);

/// What each client has left. A clone is the same one.
#[derive(Clone)]
pub struct RequestLimits(Cache<i64, Counted>);

/// A client's requests, counted at the rate that it had when it was last seen.
#[derive(Clone)]
struct Counted {
    rate: RequestsPerSecond,
    limiter: Arc<DefaultDirectRateLimiter>,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(CLIENTS).time_to_idle(FORGET).build())
    }
}

impl RequestLimits {
    /// Counts a request of a client.
    ///
    /// # Errors
    /// [`Error::ResourceExhausted`] with the time until there is room for the next.
    async fn count(&self, client_id: i64, rate: RequestsPerSecond) -> Result<(), Error> {
        let anew = async { Counted { rate, limiter: Arc::new(RateLimiter::direct(quota(rate))) } };
        let entry = self.0.entry(client_id).or_insert_with_if(anew, |known| known.rate != rate).await;
        entry.value().limiter.check().map_err(|not_until| {
            let retry_after = not_until.wait_time_from(DefaultClock::default().now());
            Error::ResourceExhausted { limit: NAME, retry_after }
        })
    }
}

/// A second's worth at once, and one at least; then evenly.
fn quota(RequestsPerSecond(rate): RequestsPerSecond) -> Quota {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast stops at both ends")]
    let burst = NonZeroU32::new(rate.ceil() as u32).unwrap_or(NonZeroU32::MIN);
    let period = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(SLOWEST);
    let quota = Quota::with_period(period.clamp(Duration::from_nanos(1), SLOWEST));
    quota.unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst)
}

/// Lets a request pass whose client has one left.
pub async fn limit_requests(State(limits): State<RequestLimits>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().map(|caller| caller.kind);
    let rate = request.extensions().get::<RequestsPerSecond>().copied();
    if let (Some(CallerKind::Client { client_id }), Some(rate)) = (caller, rate)
        && let Err(error) = limits.count(client_id, rate).await
    {
        return fault::respond(error);
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn passed(limits: &RequestLimits, client_id: i64, rate: f64) -> usize {
        let mut passed = 0;
        for _ in 0..100 {
            passed += usize::from(limits.count(client_id, RequestsPerSecond(rate)).await.is_ok());
        }
        passed
    }

    #[tokio::test]
    async fn a_client_has_a_seconds_worth_at_once_and_each_its_own() {
        let limits = RequestLimits::default();
        // So slow that nothing comes back while the test runs.
        assert_eq!(passed(&limits, 1, 0.001).await, 1);
        assert_eq!(passed(&limits, 2, 0.001).await, 1);
    }

    #[tokio::test]
    async fn the_answer_says_when_there_is_room_again() {
        let limits = RequestLimits::default();
        assert!(limits.count(1, RequestsPerSecond(0.01)).await.is_ok());
        let Err(Error::ResourceExhausted { limit, retry_after }) = limits.count(1, RequestsPerSecond(0.01)).await
        else {
            panic!("the second of one request in 100 seconds passed");
        };
        assert_eq!(limit, "requests_per_second");
        assert!((1..=100).contains(&retry_after.as_secs()), "{retry_after:?}");
    }

    #[tokio::test]
    async fn another_rate_begins_anew() {
        let limits = RequestLimits::default();
        assert_eq!(passed(&limits, 1, 0.001).await, 1);
        assert_eq!(passed(&limits, 1, 0.002).await, 1);
    }

    #[test]
    fn any_rate_above_nothing_makes_a_quota() {
        for rate in [f64::MIN_POSITIVE, 0.5, 2.5, 10_000.0, 1e300] {
            let quota = quota(RequestsPerSecond(rate));
            assert!(f64::from(quota.burst_size().get()) >= rate.min(f64::from(u32::MAX)), "{rate}");
        }
    }
}
