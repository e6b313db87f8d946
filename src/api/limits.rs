//! Limits the requests a second of each client, in a layer after authentication, for both REST and gRPC.
//!
//! Each node counts by itself. A changed limit takes effect when the client's key is looked up again, which is within
//! half a second.

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

/// The name of the limit, as in the client's limits.
const NAME: &str = "requests_per_second";

/// How many clients are counted at one time at most.
const CLIENTS: u64 = 100_000;

/// A client without requests for so long is forgotten, and then has its whole burst again.
const FORGET: Duration = Duration::from_secs(3600);

/// The longest time between two requests that a limit can set.
const SLOWEST: Duration = Duration::from_secs(24 * 3600);

/// Counts the requests of all clients. A clone shares the counts.
#[derive(Clone)]
pub struct RequestLimits(Cache<i64, Counted>);

/// The limiter of a client, at the rate that the client had at its last request.
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
    /// Returns [`Error::ResourceExhausted`] with the time until the next request is allowed.
    async fn count(&self, client_id: i64, rate: RequestsPerSecond) -> Result<(), Error> {
        let anew = async { Counted { rate, limiter: Arc::new(RateLimiter::direct(quota(rate))) } };
        let entry = self.0.entry(client_id).or_insert_with_if(anew, |known| known.rate != rate).await;
        entry.value().limiter.check().map_err(|not_until| {
            let retry_after = not_until.wait_time_from(DefaultClock::default().now());
            Error::ResourceExhausted { limit: NAME, retry_after }
        })
    }
}

/// Returns a quota that allows the requests of one second at once, at least one, and then evenly spaced ones.
fn quota(RequestsPerSecond(rate): RequestsPerSecond) -> Quota {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
    let burst = NonZeroU32::new(rate.ceil() as u32).unwrap_or(NonZeroU32::MIN);
    let period = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(SLOWEST);
    let quota = Quota::with_period(period.clamp(Duration::from_nanos(1), SLOWEST));
    quota.unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst)
}

/// Passes a request on if it is within the limit of its client.
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
    async fn each_client_has_a_limit_of_its_own_and_may_use_a_second_of_it_at_once() {
        let limits = RequestLimits::default();
        // The rate is so low that no further request is allowed while the test runs.
        assert_eq!(passed(&limits, 1, 0.001).await, 1);
        assert_eq!(passed(&limits, 2, 0.001).await, 1);
    }

    #[tokio::test]
    async fn the_error_says_when_the_next_request_is_allowed() {
        let limits = RequestLimits::default();
        assert!(limits.count(1, RequestsPerSecond(0.01)).await.is_ok());
        let Err(Error::ResourceExhausted { limit, retry_after }) = limits.count(1, RequestsPerSecond(0.01)).await
        else {
            panic!("the second request within 100 seconds passed");
        };
        assert_eq!(limit, "requests_per_second");
        assert!((1..=100).contains(&retry_after.as_secs()), "{retry_after:?}");
    }

    #[tokio::test]
    async fn a_changed_rate_begins_with_a_whole_burst() {
        let limits = RequestLimits::default();
        assert_eq!(passed(&limits, 1, 0.001).await, 1);
        assert_eq!(passed(&limits, 1, 0.002).await, 1);
    }

    #[test]
    fn any_rate_above_0_makes_a_quota() {
        for rate in [f64::MIN_POSITIVE, 0.5, 2.5, 10_000.0, 1e300] {
            let quota = quota(RequestsPerSecond(rate));
            assert!(f64::from(quota.burst_size().get()) >= rate.min(f64::from(u32::MAX)), "{rate}");
        }
    }
}
