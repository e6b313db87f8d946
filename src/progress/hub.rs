//! Tails the event log once, for any number of watchers.
//!
//! The newest events stand in one ring that all share. A watcher who keeps up reads from it; one who falls behind its
//! end reads the table from its own cursor until it has caught up. So memory is bounded whatever watchers do, and
//! nobody misses an event or sees one twice.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::listen;
use crate::store::events::{self, Event, Filter};
use crate::store::{Db, Result};

/// Events that the ring holds.
const RING: usize = 16_384;

/// Events that are read from the table at once.
const CHUNK: i64 = 1024;

/// How often the table is read without having been told to: notifications of other nodes can be lost.
const POLL: Duration = Duration::from_secs(2);

/// The newest events.
#[derive(Debug, Default)]
struct Ring {
    /// Every event behind this cursor is in the ring.
    complete_behind: i64,
    events: VecDeque<Arc<Event>>,
}

/// The tail of the event log of one node.
pub struct Hub {
    db: Db,
    ring: RwLock<Ring>,
    head: watch::Sender<i64>,
    /// Where the watchers are, those that are gone included until somebody looks.
    watchers: Mutex<Vec<Weak<AtomicI64>>>,
}

/// How far watchers are behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchers {
    /// How many there are.
    pub count: usize,
    /// How far the slowest is behind the head, in steps of `seq`. An upper bound: the steps have gaps.
    pub lag: i64,
}

/// One watcher's place in the log.
pub struct Subscription {
    hub: Arc<Hub>,
    filter: Filter,
    cursor: i64,
    /// The cursor, for whoever measures.
    place: Arc<AtomicI64>,
    head: watch::Receiver<i64>,
}

impl Hub {
    /// Starts to tail the log at its end.
    pub async fn start(db: Db, stop: CancellationToken) -> Result<Arc<Self>> {
        let last = events::last(&mut db.read().await?).await?;
        let ring = RwLock::new(Ring { complete_behind: last, events: VecDeque::new() });
        let hub = Arc::new(Self { db, ring, head: watch::channel(last).0, watchers: Mutex::default() });
        tokio::spawn(Arc::clone(&hub).run(stop));
        Ok(hub)
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) {
        let told = self.db.events_appended();
        let shared = self.db.shared_url().map(str::to_owned);
        let mut listen = std::pin::pin!(listen::listen_if_shared(shared, self.db.events_appended()));
        loop {
            // Armed before the look, so that no commit falls between the two.
            let news = told.notified();
            match self.read_on().await {
                // There may be more than one chunk.
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

    /// Takes in what is new; true where a whole chunk was.
    async fn read_on(&self) -> Result<bool> {
        let after = *self.head.borrow();
        let new = events::after(&mut self.db.read().await?, after, CHUNK).await?;
        let Some(last) = new.last().map(|event| event.seq) else { return Ok(false) };
        let whole = i64::try_from(new.len()).unwrap_or(i64::MAX) == CHUNK;
        {
            let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
            ring.events.extend(new.into_iter().map(Arc::new));
            while ring.events.len() > RING {
                if let Some(oldest) = ring.events.pop_front() {
                    ring.complete_behind = oldest.seq;
                }
            }
        }
        self.head.send_replace(last);
        Ok(whole)
    }

    /// The last event that this node has seen.
    #[must_use]
    pub fn head(&self) -> i64 {
        *self.head.borrow()
    }

    /// Follows the log from its end, for a part of the server itself, which is no watcher.
    #[must_use]
    pub fn follow(self: &Arc<Self>) -> Subscription {
        let after = self.head();
        self.place(Filter::default(), after, Arc::new(AtomicI64::new(after)))
    }

    /// Watches what comes behind `after`.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, filter: Filter, after: i64) -> Subscription {
        let place = Arc::new(AtomicI64::new(after));
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|place| place.strong_count() > 0);
        watchers.push(Arc::downgrade(&place));
        drop(watchers);
        self.place(filter, after, place)
    }

    fn place(self: &Arc<Self>, filter: Filter, cursor: i64, place: Arc<AtomicI64>) -> Subscription {
        Subscription { hub: Arc::clone(self), filter, cursor, place, head: self.head.subscribe() }
    }

    /// How the watchers keep up.
    #[must_use]
    pub fn watchers(&self) -> Watchers {
        let head = self.head();
        let watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        let places = watchers.iter().filter_map(Weak::upgrade).map(|place| place.load(Ordering::Relaxed));
        let (count, lag) = places.fold((0, 0), |(count, lag), place| (count + 1, lag.max(head - place)));
        Watchers { count, lag }
    }

    /// At most `most` of what is behind `cursor` in the ring, and the cursor behind it; None where the ring does not
    /// reach back so far.
    fn read_ring(&self, cursor: i64, filter: &Filter, most: usize) -> Option<(Vec<Arc<Event>>, i64)> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        if cursor < ring.complete_behind {
            return None;
        }
        let from = ring.events.partition_point(|event| event.seq <= cursor);
        let wanted: Vec<_> =
            ring.events.range(from..).filter(|event| filter.wants(event)).take(most).cloned().collect();
        // There may be more behind a full answer.
        let last = if wanted.len() == most { wanted.last() } else { ring.events.back() };
        let last = last.map_or(cursor, |event| event.seq.max(cursor));
        Some((wanted, last))
    }
}

impl Subscription {
    /// The next events that are wanted, in order; empty where there are none now. Not to be dropped half-way.
    pub async fn take(&mut self) -> Result<Vec<Arc<Event>>> {
        self.take_some(usize::MAX).await
    }

    /// The same, for whoever needs long for an event and must not hold many: no more than `most`, from 1, or than are
    /// read from the table at once.
    pub async fn take_some(&mut self, most: usize) -> Result<Vec<Arc<Event>>> {
        loop {
            // Marked before the look, so that whatever comes during it counts as news.
            self.head.mark_unchanged();
            let (events, cursor) = match self.hub.read_ring(self.cursor, &self.filter, most) {
                Some(found) => found,
                None => self.read_table().await?,
            };
            self.place.store(cursor, Ordering::Relaxed);
            let moved = std::mem::replace(&mut self.cursor, cursor) != cursor;
            if !events.is_empty() || !moved {
                return Ok(events);
            }
        }
    }

    /// Everything up to this event has been taken, or was not wanted.
    #[must_use]
    pub fn cursor(&self) -> i64 {
        self.cursor
    }

    /// Waits until there may be something to take.
    pub async fn news(&mut self) {
        if self.head.changed().await.is_err() {
            // The hub lives as long as this does.
            std::future::pending::<()>().await;
        }
    }

    async fn read_table(&self) -> Result<(Vec<Arc<Event>>, i64)> {
        let read = events::after(&mut self.hub.db.read().await?, self.cursor, CHUNK).await?;
        let last = read.last().map_or(self.cursor, |event| event.seq);
        let wanted = read.into_iter().filter(|event| self.filter.wants(event)).map(Arc::new).collect();
        Ok((wanted, last))
    }
}
