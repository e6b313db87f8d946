//! The limits of clients on all servers of this node: the only state that lanes share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use super::limiter::{LimitReached, Limiter, Limits, Permit};
use crate::domain::ids::CallId;

/// The limits of all clients. One lock is held while a call begins, so that two lanes can never both take the last
/// permit.
#[derive(Clone, Debug)]
pub struct Clients(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limiters: Mutex<Limiters>,
    /// True if a lane was refused, and wants to know when a permit becomes free.
    wanted: AtomicBool,
    /// True if permits of a client may be kept for a call with several legs.
    some_reserved: AtomicBool,
    freed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Limiters {
    by_client: HashMap<i64, Limiter>,
    /// How many [`Uncounted`] exist.
    uncounted: usize,
}

/// Says that calls may be live which hold no permit yet. While one of these exists, no call of a client with a limit on
/// live calls begins.
#[derive(Debug)]
pub struct Uncounted(Arc<Shared>);

impl Drop for Uncounted {
    fn drop(&mut self) {
        let mut limiters = self.0.lock();
        limiters.uncounted -= 1;
        if limiters.uncounted == 0 {
            self.0.freed.send_replace(());
        }
    }
}

/// The permit of one live call of a client.
#[derive(Debug)]
pub struct ClientPermit {
    permit: Option<Permit>,
    shared: Arc<Shared>,
}

impl ClientPermit {
    /// Notes that the call's Originate was sent.
    pub fn sent(&mut self) {
        if let Some(permit) = &mut self.permit {
            permit.sent();
        }
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        // The permit is freed before lanes are notified, so that they find it free.
        drop(self.permit.take());
        if self.shared.wanted.swap(false, Ordering::SeqCst) {
            self.shared.freed.send_replace(());
        }
    }
}

impl Default for Clients {
    fn default() -> Self {
        Self(Arc::new(Shared {
            limiters: Mutex::default(),
            wanted: AtomicBool::new(false),
            some_reserved: AtomicBool::new(false),
            freed: watch::channel(()).0,
        }))
    }
}

impl Clients {
    /// Changes a client's limits from now on.
    pub fn set(&self, client_id: i64, set: Limits, now: Instant) {
        self.0.lock().of(client_id, now).set(set, now);
    }

    /// Begins a call of a client that has this many legs, if the client's limits allow them.
    pub fn begin(&self, client_id: i64, call: CallId, legs: usize, now: Instant) -> Result<ClientPermit, LimitReached> {
        let mut limiters = self.0.lock();
        self.0.ask(&mut limiters, client_id, now)?;
        if legs > 1 || self.some_reserved() {
            self.0.ask_for_legs(&mut limiters, client_id, (call, legs), now)?;
        }
        let permit = limiters.of(client_id, now).begin(call, legs, now);
        Ok(self.permit(permit))
    }

    /// Returns true if permits of a client may be kept for a call with several legs.
    #[must_use]
    pub fn some_reserved(&self) -> bool {
        self.0.some_reserved.load(Ordering::Relaxed)
    }

    /// Checks whether a client may begin a call with this many legs, given that [`Clients::check`] allows one.
    pub fn check_legs(&self, client_id: i64, call: CallId, legs: usize, now: Instant) -> Result<(), LimitReached> {
        self.0.ask_for_legs(&mut self.0.lock(), client_id, (call, legs), now)
    }

    /// Drops the reservations of calls that no lane knows any more. `waits` says whether a call waits in this lane.
    pub fn renew_reservations(&self, waits: &impl Fn(CallId) -> bool, now: Instant) {
        if !self.some_reserved() {
            return;
        }
        let mut limiters = self.0.lock();
        limiters.by_client.values_mut().for_each(|limiter| limiter.renew_reservation(waits, now));
        let some = limiters.by_client.values().any(Limiter::has_reservation);
        self.0.some_reserved.store(some, Ordering::Relaxed);
    }

    /// Checks whether a client may begin a call. Another lane may still take the last permit.
    pub fn check(&self, client_id: i64, now: Instant) -> Result<(), LimitReached> {
        self.0.ask(&mut self.0.lock(), client_id, now)
    }

    /// Returns how many calls of a client may be live at one time.
    #[must_use]
    pub fn max_live(&self, client_id: i64) -> Option<i32> {
        self.0.lock().by_client.get(&client_id).and_then(Limiter::max_live)
    }

    /// Takes a permit for a call of the client that was live before, with this many legs.
    pub fn adopt(&self, client_id: i64, legs: usize, now: Instant) -> ClientPermit {
        self.permit(self.0.lock().of(client_id, now).adopt(legs))
    }

    /// Says that calls of any client may be live which [`Clients::adopt`] was not called for yet.
    #[must_use]
    pub fn uncounted(&self) -> Uncounted {
        self.0.lock().uncounted += 1;
        Uncounted(Arc::clone(&self.0))
    }

    /// Returns a receiver that changes when a permit becomes free that a lane had wanted.
    #[must_use]
    pub fn freed(&self) -> watch::Receiver<()> {
        self.0.freed.subscribe()
    }

    fn permit(&self, permit: Permit) -> ClientPermit {
        ClientPermit { permit: Some(permit), shared: Arc::clone(&self.0) }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Limiters> {
        self.limiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, limiters: &mut Limiters, client_id: i64, now: Instant) -> Result<(), LimitReached> {
        let first = limiters.check(client_id, now);
        if !matches!(first, Err(LimitReached::Live { .. })) {
            return first;
        }
        // Marked as wanted first, then checked again, so that a permit which becomes free in between is either seen or
        // notified.
        self.wanted.store(true, Ordering::SeqCst);
        limiters.check(client_id, now)
    }
}

impl Shared {
    fn ask_for_legs(
        &self,
        limiters: &mut Limiters,
        client_id: i64,
        (call, legs): (CallId, usize),
        now: Instant,
    ) -> Result<(), LimitReached> {
        let mut check = || {
            let limiter = limiters.of(client_id, now);
            let checked = limiter.check_legs(call, legs, now);
            if limiter.has_reservation() {
                self.some_reserved.store(true, Ordering::Relaxed);
            }
            checked
        };
        check().or_else(|_| {
            // As in `ask`.
            self.wanted.store(true, Ordering::SeqCst);
            check()
        })
    }
}

impl Limiters {
    fn of(&mut self, client_id: i64, now: Instant) -> &mut Limiter {
        self.by_client.entry(client_id).or_insert_with(|| Limiter::new(Limits::default(), 1.0, now))
    }

    fn check(&mut self, client_id: i64, now: Instant) -> Result<(), LimitReached> {
        let some_uncounted = self.uncounted > 0;
        let limiter = self.of(client_id, now);
        match limiter.max_live().filter(|_| some_uncounted) {
            Some(most) => Err(LimitReached::Live { most }),
            None => limiter.check(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limits = Limits { max_live: Some(10), per_second: None };

    #[test]
    fn lanes_that_begin_at_once_never_exceed_a_client_together() {
        let clients = Clients::default();
        let now = Instant::now();
        clients.set(1, LIMIT, now);
        let taken: Vec<ClientPermit> = std::thread::scope(|scope| {
            let lane = || {
                scope
                    .spawn(|| (0..100).filter_map(|_| clients.begin(1, CallId::new(), 1, now).ok()).collect::<Vec<_>>())
            };
            let lanes: Vec<_> = (0..8).map(|_| lane()).collect();
            lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect()
        });
        assert_eq!(taken.len(), 10);
        drop(taken);
        assert_eq!(clients.check(1, now), Ok(()));
    }

    #[tokio::test]
    async fn a_lane_that_was_refused_hears_of_a_slot_that_gets_free() {
        let clients = Clients::default();
        let now = Instant::now();
        clients.set(1, Limits { max_live: Some(1), per_second: None }, now);
        let mut freed = clients.freed();
        let permit = clients.begin(1, CallId::new(), 1, now).unwrap();
        assert!(clients.begin(1, CallId::new(), 1, now).is_err());
        drop(permit);
        freed.changed().await.unwrap();
        assert!(clients.begin(1, CallId::new(), 1, now).is_ok());
    }

    #[test]
    fn one_client_does_not_hold_up_another() {
        let clients = Clients::default();
        let now = Instant::now();
        clients.set(1, LIMIT, now);
        let _all: Vec<ClientPermit> = (0..10).map(|_| clients.begin(1, CallId::new(), 1, now).unwrap()).collect();
        assert!(clients.begin(1, CallId::new(), 1, now).is_err());
        assert!(clients.begin(2, CallId::new(), 1, now).is_ok());
    }

    #[tokio::test]
    async fn no_slot_is_given_away_before_all_live_calls_are_counted() {
        let clients = Clients::default();
        let now = Instant::now();
        clients.set(1, Limits { max_live: Some(1), per_second: None }, now);
        let mut freed = clients.freed();
        let (one, other) = (clients.uncounted(), clients.uncounted());
        assert_eq!(clients.check(1, now), Err(LimitReached::Live { most: 1 }));
        assert!(clients.begin(1, CallId::new(), 1, now).is_err());
        assert!(clients.begin(2, CallId::new(), 1, now).is_ok(), "nothing is to be counted where nothing limits");
        drop(one);
        assert!(clients.begin(1, CallId::new(), 1, now).is_err());
        let live = clients.adopt(1, 1, now);
        drop(other);
        freed.changed().await.unwrap();
        assert!(
            clients.begin(1, CallId::new(), 1, now).is_err(),
            "the call that was counted last holds the only permit"
        );
        drop(live);
        assert!(clients.begin(1, CallId::new(), 1, now).is_ok());
    }
}
