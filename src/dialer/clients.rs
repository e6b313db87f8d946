//! What limits a client on all servers of this node: the one thing that lanes share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use super::limits::{Gate, Reached, Set, Slot};

/// The limits of all clients. One lock is held for the moment in which a call begins, so that two lanes can never both
/// take the last slot.
#[derive(Clone, Debug)]
pub struct Clients(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    gates: Mutex<Gates>,
    /// A lane was refused, and wants to know when a slot gets free.
    wanted: AtomicBool,
    freed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Gates {
    by_client: HashMap<i64, Gate>,
    /// How many [`Uncounted`] there are.
    uncounted: usize,
}

/// Calls may live that hold no slot yet. As long as this exists, no call begins of a client whose live calls are
/// limited.
#[derive(Debug)]
pub struct Uncounted(Arc<Shared>);

impl Drop for Uncounted {
    fn drop(&mut self) {
        let mut gates = self.0.lock();
        gates.uncounted -= 1;
        if gates.uncounted == 0 {
            self.0.freed.send_replace(());
        }
    }
}

/// One live call of a client.
#[derive(Debug)]
pub struct ClientSlot {
    slot: Option<Slot>,
    shared: Arc<Shared>,
}

impl ClientSlot {
    /// Its Originate is on the wire.
    pub fn sent(&mut self) {
        if let Some(slot) = &mut self.slot {
            slot.sent();
        }
    }
}

impl Drop for ClientSlot {
    fn drop(&mut self) {
        // First free, then tell: who was told must find it.
        drop(self.slot.take());
        if self.shared.wanted.swap(false, Ordering::SeqCst) {
            self.shared.freed.send_replace(());
        }
    }
}

impl Default for Clients {
    fn default() -> Self {
        Self(Arc::new(Shared { gates: Mutex::default(), wanted: AtomicBool::new(false), freed: watch::channel(()).0 }))
    }
}

impl Clients {
    /// Another limit from now on.
    pub fn set(&self, client_id: i64, set: Set, now: Instant) {
        self.0.lock().of(client_id, now).set(set, now);
    }

    /// Begins a call of the client, if it may have one more.
    pub fn begin(&self, client_id: i64, now: Instant) -> Result<ClientSlot, Reached> {
        let mut gates = self.0.lock();
        self.0.ask(&mut gates, client_id, now)?;
        let slot = gates.of(client_id, now).begin(now);
        Ok(self.slot(slot))
    }

    /// Whether the client may have one more, for now: another lane may take it.
    pub fn check(&self, client_id: i64, now: Instant) -> Result<(), Reached> {
        self.0.ask(&mut self.0.lock(), client_id, now)
    }

    /// A call of the client is live that began before.
    pub fn hold(&self, client_id: i64, now: Instant) -> ClientSlot {
        self.slot(self.0.lock().of(client_id, now).hold())
    }

    /// Calls of any client may live that [`Clients::hold`] was not told of yet.
    #[must_use]
    pub fn uncounted(&self) -> Uncounted {
        self.0.lock().uncounted += 1;
        Uncounted(Arc::clone(&self.0))
    }

    /// Changes when a slot gets free that a lane had wanted.
    #[must_use]
    pub fn freed(&self) -> watch::Receiver<()> {
        self.0.freed.subscribe()
    }

    fn slot(&self, slot: Slot) -> ClientSlot {
        ClientSlot { slot: Some(slot), shared: Arc::clone(&self.0) }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Gates> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, gates: &mut Gates, client_id: i64, now: Instant) -> Result<(), Reached> {
        let first = gates.check(client_id, now);
        if !matches!(first, Err(Reached::Live { .. })) {
            return first;
        }
        // Wanted first, then looked at again: a slot that gets free in between is either seen or told.
        self.wanted.store(true, Ordering::SeqCst);
        gates.check(client_id, now)
    }
}

impl Gates {
    fn of(&mut self, client_id: i64, now: Instant) -> &mut Gate {
        self.by_client.entry(client_id).or_insert_with(|| Gate::new(Set::default(), 1.0, now))
    }

    fn check(&mut self, client_id: i64, now: Instant) -> Result<(), Reached> {
        let some_uncounted = self.uncounted > 0;
        let gate = self.of(client_id, now);
        match gate.max_live().filter(|_| some_uncounted) {
            Some(most) => Err(Reached::Live { most }),
            None => gate.check(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Set = Set { max_live: Some(10), per_second: None };

    #[test]
    fn lanes_that_begin_at_once_never_exceed_a_client_together() {
        let clients = Clients::default();
        let now = Instant::now();
        clients.set(1, LIMIT, now);
        let taken: Vec<ClientSlot> = std::thread::scope(|scope| {
            let lane = || scope.spawn(|| (0..100).filter_map(|_| clients.begin(1, now).ok()).collect::<Vec<_>>());
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
        clients.set(1, Set { max_live: Some(1), per_second: None }, now);
        let mut freed = clients.freed();
        let slot = clients.begin(1, now).unwrap();
        assert!(clients.begin(1, now).is_err());
        drop(slot);
        freed.changed().await.unwrap();
        assert!(clients.begin(1, now).is_ok());
    }

    #[test]
    fn one_client_does_not_hold_up_another() {
        let clients = Clients::default();
        let now = Instant::now();
        clients.set(1, LIMIT, now);
        let _all: Vec<ClientSlot> = (0..10).map(|_| clients.begin(1, now).unwrap()).collect();
        assert!(clients.begin(1, now).is_err());
        assert!(clients.begin(2, now).is_ok());
    }

    #[tokio::test]
    async fn no_slot_is_given_away_before_all_live_calls_are_counted() {
        let clients = Clients::default();
        let now = Instant::now();
        clients.set(1, Set { max_live: Some(1), per_second: None }, now);
        let mut freed = clients.freed();
        let (one, other) = (clients.uncounted(), clients.uncounted());
        assert_eq!(clients.check(1, now), Err(Reached::Live { most: 1 }));
        assert!(clients.begin(1, now).is_err());
        assert!(clients.begin(2, now).is_ok(), "nothing is to be counted where nothing limits");
        drop(one);
        assert!(clients.begin(1, now).is_err());
        let live = clients.hold(1, now);
        drop(other);
        freed.changed().await.unwrap();
        assert!(clients.begin(1, now).is_err(), "the call that was counted last holds the only slot");
        drop(live);
        assert!(clients.begin(1, now).is_ok());
    }
}
