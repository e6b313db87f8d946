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
    gates: Mutex<HashMap<i64, Gate>>,
    /// A lane was refused, and wants to know when a slot gets free.
    wanted: AtomicBool,
    freed: watch::Sender<()>,
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
        self.with(client_id, now, |gate| gate.set(set, now));
    }

    /// Begins a call of the client, if it may have one more.
    pub fn begin(&self, client_id: i64, now: Instant) -> Result<ClientSlot, Reached> {
        let slot = self.with(client_id, now, |gate| {
            self.0.ask(gate, now)?;
            Ok(gate.begin(now))
        })?;
        Ok(self.slot(slot))
    }

    /// Whether the client may have one more, for now: another lane may take it.
    pub fn check(&self, client_id: i64, now: Instant) -> Result<(), Reached> {
        self.with(client_id, now, |gate| self.0.ask(gate, now))
    }

    /// A call of the client is live that began before.
    pub fn hold(&self, client_id: i64, now: Instant) -> ClientSlot {
        let slot = self.with(client_id, now, |gate| gate.hold());
        self.slot(slot)
    }

    /// Changes when a slot gets free that a lane had wanted.
    #[must_use]
    pub fn freed(&self) -> watch::Receiver<()> {
        self.0.freed.subscribe()
    }

    fn slot(&self, slot: Slot) -> ClientSlot {
        ClientSlot { slot: Some(slot), shared: Arc::clone(&self.0) }
    }

    fn with<T>(&self, client_id: i64, now: Instant, work: impl FnOnce(&mut Gate) -> T) -> T {
        let mut gates: MutexGuard<'_, _> = self.0.gates.lock().unwrap_or_else(PoisonError::into_inner);
        work(gates.entry(client_id).or_insert_with(|| Gate::new(Set::default(), 1.0, now)))
    }
}

impl Shared {
    fn ask(&self, gate: &mut Gate, now: Instant) -> Result<(), Reached> {
        let first = gate.check(now);
        if !matches!(first, Err(Reached::Live { .. })) {
            return first;
        }
        // Wanted first, then looked at again: a slot that gets free in between is either seen or told.
        self.wanted.store(true, Ordering::SeqCst);
        gate.check(now)
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
}
