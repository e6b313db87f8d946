//! Keeps permits for a call with several legs, so that calls with fewer legs do not take each permit as it becomes free.
//!
//! A call with several legs waits until all its permits are free at once. If it has waited for a while, calls with fewer
//! legs leave that many permits free. They go on with the others, and only if the call needs all permits of a limit do
//! they wait until it begins, which is when the calls that are live now have ended. As each call has a longest time,
//! neither waits for ever. A call with as many legs or more takes no notice, so that no two calls wait for one another.

use std::time::{Duration, Instant};

use crate::domain::ids::CallId;

/// How long a call with several legs competes with the others before permits are kept for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long permits are kept for a call that no lane has renewed, because it waits no more.
const FORGOTTEN: Duration = Duration::from_secs(3);

/// The permits of one limit that are kept for a call, once it has waited for long enough.
#[derive(Clone, Copy, Debug)]
pub struct Reservation {
    call: CallId,
    legs: usize,
    since: Instant,
    renewed: Instant,
}

impl Reservation {
    /// Takes in that a call waits for this many permits. The first such call of a limit has the reservation until it
    /// begins or waits no more.
    pub fn want(slot: &mut Option<Self>, call: CallId, legs: usize, now: Instant) {
        match slot {
            Some(taken) if taken.call == call => taken.renewed = now,
            Some(taken) if now < taken.renewed + FORGOTTEN => {}
            _ if legs > 1 => *slot = Some(Self { call, legs, since: now, renewed: now }),
            _ => {}
        }
    }

    /// Returns the call that waits.
    #[must_use]
    pub fn call(&self) -> CallId {
        self.call
    }

    /// Returns how many permits are kept from a call with this many legs.
    #[must_use]
    pub fn kept_from(&self, call: CallId, legs: usize, now: Instant) -> usize {
        let is_kept = now >= self.since + PATIENCE && now < self.renewed + FORGOTTEN;
        if is_kept && self.call != call && legs < self.legs { self.legs } else { 0 }
    }

    /// Renews the reservation if its call `waits`. Returns false if it is forgotten.
    pub fn renew(&mut self, waits: &impl Fn(CallId) -> bool, now: Instant) -> bool {
        if waits(self.call) {
            self.renewed = now;
        }
        now < self.renewed + FORGOTTEN
    }
}
