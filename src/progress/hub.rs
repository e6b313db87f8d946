//! Tails the event log once, for any number of watchers.
//!
//! The newest events are in one ring that all watchers share. A watcher that keeps up reads from the ring; one that
//! falls behind its oldest event reads the table from its own cursor until it has caught up. So memory is bounded
//! whatever the watchers do, and no watcher misses an event or sees one twice.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::catch_up::{CatchUp, Turn};
use super::listen;
use crate::store::call_terms::{self, Term, TermKind};
use crate::store::events::{self, Event, Filter};
use crate::store::types::Id;
use crate::store::{Db, Result};

/// How many events the ring holds.
const RING: usize = 16_384;

/// How many events are read from the table at once.
const CHUNK: i64 = 1024;

/// Of how many events at most one is wanted if a watcher's next events are read in whole chunks.
const SPARSE: usize = 16;

/// Of how many events the calls are looked up at once for their labels.
const LOOKUP: usize = 1000;

/// How often the table is read without a notification, because notifications from other nodes can be lost.
const POLL: Duration = Duration::from_secs(2);

/// The newest events of the log.
#[derive(Debug, Default)]
struct Ring {
    /// Every event with a greater `seq` than this is in the ring.
    complete_after: i64,
    events: VecDeque<Arc<Event>>,
}

/// The tail of the event log of one node.
pub struct Hub {
    db: Db,
    ring: RwLock<Ring>,
    head: watch::Sender<i64>,
    /// The cursors of the watchers; those that are gone are removed when the next watcher subscribes.
    watchers: Mutex<Vec<Weak<AtomicI64>>>,
    catch_up: CatchUp,
}

/// How many watchers there are, and how far they are behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchers {
    /// How many watchers there are.
    pub count: usize,
    /// How far the slowest watcher is behind the newest event, in steps of `seq`. This is an upper bound, because `seq`
    /// has gaps.
    pub lag: i64,
}

/// One reader's position in the log.
pub struct Subscription {
    hub: Arc<Hub>,
    filter: Filter,
    cursor: i64,
    /// True for a watcher, which waits for its turn to read the table.
    takes_turns: bool,
    /// True if the last events of the table that were read were nearly all unwanted.
    is_sparse: bool,
    /// A copy of the cursor, for [`Hub::watchers`].
    place: Arc<AtomicI64>,
    head: watch::Receiver<i64>,
}

impl Hub {
    /// Begins at the current end of the log. Nothing is read before [`Hub::run`].
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn new(db: Db) -> Result<Arc<Self>> {
        let last = events::last(&mut db.read().await?).await?;
        let ring = RwLock::new(Ring { complete_after: last, events: VecDeque::new() });
        Ok(Arc::new(Self {
            db,
            ring,
            head: watch::channel(last).0,
            watchers: Mutex::default(),
            catch_up: CatchUp::default(),
        }))
    }

    /// Tails the log until `stop` is cancelled. A store that cannot be reached is tried again.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let appended = self.db.events_appended();
        let shared = self.db.shared_url().map(str::to_owned);
        let mut listen = std::pin::pin!(listen::listen_if_shared(shared, self.db.events_appended()));
        loop {
            // Armed before the read, so that no commit goes unnoticed between the two.
            let news = appended.notified();
            match self.read_on().await {
                // There may be a further chunk.
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => warn!(%error, "cannot read the event log"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = &mut listen => {}
                () = news => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Reads the next events into the ring. Returns true if there was a full chunk of them, so that there may be more.
    async fn read_on(&self) -> Result<bool> {
        let after = *self.head.borrow();
        let new = events::after(&mut self.db.read().await?, after, CHUNK).await?;
        let Some(last) = new.last().map(|event| event.seq) else { return Ok(false) };
        let full = i64::try_from(new.len()).unwrap_or(i64::MAX) == CHUNK;
        {
            let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
            ring.events.extend(new.into_iter().map(Arc::new));
            while ring.events.len() > RING {
                if let Some(oldest) = ring.events.pop_front() {
                    ring.complete_after = oldest.seq;
                }
            }
        }
        self.head.send_replace(last);
        Ok(full)
    }

    /// Returns the `seq` of the last event that this node has seen.
    #[must_use]
    pub fn head(&self) -> i64 {
        *self.head.borrow()
    }

    /// Follows the log from its current end, for a part of the server itself. It does not count as a watcher.
    #[must_use]
    pub fn follow(self: &Arc<Self>) -> Subscription {
        let after = self.head();
        self.place(Filter::default(), after, Arc::new(AtomicI64::new(after)), false)
    }

    /// Follows the events with a greater `seq` than `after`, as a watcher.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, filter: Filter, after: i64) -> Subscription {
        let place = Arc::new(AtomicI64::new(after));
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|place| place.strong_count() > 0);
        watchers.push(Arc::downgrade(&place));
        drop(watchers);
        self.place(filter, after, place, true)
    }

    /// Waits until a watcher with this filter may read from the store.
    pub async fn turn(&self, filter: &Filter) -> Turn {
        self.catch_up.turn(filter.client_id).await
    }

    fn place(self: &Arc<Self>, filter: Filter, cursor: i64, place: Arc<AtomicI64>, takes_turns: bool) -> Subscription {
        let (hub, head) = (Arc::clone(self), self.head.subscribe());
        Subscription { hub, filter, cursor, takes_turns, is_sparse: false, place, head }
    }

    /// Counts the watchers, and measures how far the slowest is behind.
    #[must_use]
    pub fn watchers(&self) -> Watchers {
        let head = self.head();
        let watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        let places = watchers.iter().filter_map(Weak::upgrade).map(|place| place.load(Ordering::Relaxed));
        let (count, lag) = places.fold((0, 0), |(count, lag), place| (count + 1, lag.max(head - place)));
        Watchers { count, lag }
    }

    /// Returns at most `most` wanted events after `cursor` from the ring, and the cursor after them, or None if the
    /// ring does not reach back to `cursor`.
    fn read_ring(&self, cursor: i64, filter: &Filter, most: usize) -> Option<(Vec<Arc<Event>>, i64)> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        if cursor < ring.complete_after {
            return None;
        }
        let from = ring.events.partition_point(|event| event.seq <= cursor);
        let wanted: Vec<_> =
            ring.events.range(from..).filter(|event| filter.wants(event)).take(most).cloned().collect();
        // If the answer is full, there may be more wanted events after it.
        let last = if wanted.len() == most { wanted.last() } else { ring.events.back() };
        let last = last.map_or(cursor, |event| event.seq.max(cursor));
        Some((wanted, last))
    }
}

impl Subscription {
    /// Returns the next wanted events in order, or nothing if there are none now. The future must not be dropped before
    /// it is ready.
    ///
    /// # Errors
    /// Returns an error if the events have to be read from the store and cannot be.
    pub async fn take(&mut self) -> Result<Vec<Arc<Event>>> {
        self.take_some(usize::MAX).await
    }

    /// As [`Subscription::take`], but returns about `most` events, which must be 1 or more. It is for a reader that needs
    /// long for each event and should not keep many in memory.
    ///
    /// # Errors
    /// Returns an error if the events have to be read from the store and cannot be.
    pub async fn take_some(&mut self, most: usize) -> Result<Vec<Arc<Event>>> {
        loop {
            // Marked before the read, so that what arrives during the read counts as news.
            self.head.mark_unchanged();
            let (events, cursor) = match self.hub.read_ring(self.cursor, &self.filter, most) {
                Some((events, cursor)) => (self.labelled(events).await?, cursor),
                None => self.read_table(most).await?,
            };
            self.place.store(cursor, Ordering::Relaxed);
            let moved = std::mem::replace(&mut self.cursor, cursor) != cursor;
            if !events.is_empty() || !moved {
                return Ok(events);
            }
        }
    }

    /// Returns the `seq` up to which every event has been taken or was not wanted.
    #[must_use]
    pub fn cursor(&self) -> i64 {
        self.cursor
    }

    /// Returns a copy of the cursor that moves on while [`Subscription::take`] passes over events that are not wanted.
    /// It is never beyond an event that has not been taken, unless the future of `take` is ready.
    #[must_use]
    pub fn place(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.place)
    }

    /// Waits until there may be something to take.
    pub async fn news(&mut self) {
        if self.head.changed().await.is_err() {
            // Does not happen, because the subscription keeps the hub alive.
            std::future::pending::<()>().await;
        }
    }

    /// Reads the next events from the table: no more than `most`, unless hardly any of them are wanted.
    async fn read_table(&mut self, most: usize) -> Result<(Vec<Arc<Event>>, i64)> {
        let limit = if self.is_sparse { CHUNK } else { i64::try_from(most).unwrap_or(CHUNK).min(CHUNK) };
        let turn = if self.takes_turns { Some(self.hub.turn(&self.filter).await) } else { None };
        let read = events::after(&mut self.hub.db.read().await?, self.cursor, limit).await?;
        if let Some(turn) = turn {
            turn.done();
        }
        let (last, count) = (read.last().map_or(self.cursor, |event| event.seq), read.len());
        let wanted = read.into_iter().filter(|event| self.filter.wants(event)).map(Arc::new).collect();
        let wanted = self.labelled(wanted).await?;
        self.is_sparse = wanted.len() * SPARSE < count;
        Ok((wanted, last))
    }

    /// Leaves out the events of calls without the label that the reader wants, if it wants one.
    async fn labelled(&self, events: Vec<Arc<Event>>) -> Result<Vec<Arc<Event>>> {
        let Some(label) = &self.filter.label else { return Ok(events) };
        let term = Term { kind: TermKind::Label, value: label.clone() };
        let mut labelled: HashSet<Id> = HashSet::new();
        for events in events.chunks(LOOKUP) {
            let clients: HashSet<i64> = events.iter().map(|event| event.client_id).collect();
            let calls: HashSet<Id> = events.iter().filter_map(|event| event.call_id).collect();
            let (clients, calls): (Vec<_>, Vec<_>) = (clients.into_iter().collect(), calls.into_iter().collect());
            let mut conn = self.hub.db.read().await?;
            labelled.extend(call_terms::having(&mut conn, &term, &clients, &calls).await?);
        }
        let is_labelled = |event: &Arc<Event>| event.call_id.is_some_and(|call| labelled.contains(&call));
        Ok(events.into_iter().filter(is_labelled).collect())
    }
}
