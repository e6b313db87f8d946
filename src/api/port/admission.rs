//! Decides which connections are open: limits in all and for each source, and what is closed to make room.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::port::source::Source;
use crate::config::ConnectionLimits;
use crate::domain::networks::Networks;

/// How long a new connection is spared when another one has to be closed, because it has hardly had time to send its
/// first request.
const SPARED: Duration = Duration::from_secs(1);

/// Counts the open connections of all ports. A clone shares the counts.
///
/// At a limit, the connection that has been without a request for the longest time is closed in favour of the new one.
/// So those who open connections and send nothing only replace each other, and a connection is refused only if all
/// others have a request in progress.
#[derive(Clone)]
pub struct Admission(Arc<Mutex<State>>);

/// The permission to be open, which ends when it is dropped.
pub struct Permit {
    state: Arc<Mutex<State>>,
    source: Source,
    place: Place,
    /// Cancelled when the connection has to make room for another one.
    closed: CancellationToken,
}

/// A limit that keeps a connection from being opened, by the name of its setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// All connections together have reached `max_connections`, and each has a request in progress.
    Connections,
    /// The connections of the source have reached `max_connections_per_source`, and each has a request in progress.
    PerSource,
    /// The source opens more than `max_new_connections_per_source` connections in a second.
    NewPerSource,
}

/// What a connection is doing, with its number in the order in which connections began to wait.
#[derive(Clone, Copy)]
enum Place {
    /// No request has been received yet.
    Fresh(u64),
    /// At least one request is in progress.
    Busy,
    /// The last request was answered.
    Idle(u64),
}

struct State {
    limits: ConnectionLimits,
    proxies: Networks,
    next: u64,
    open: usize,
    sources: HashMap<Source, OfSource>,
    new: NewConnections,
    waiting: BTreeMap<u64, Waiting>,
    fresh: BTreeSet<u64>,
    idle: BTreeSet<u64>,
}

/// How long a source may open connections at once that it would be allowed to open in this time.
const BURST: Duration = Duration::from_secs(10);

/// The connections that each source has opened lately.
struct NewConnections {
    opened: HashMap<Source, Opened>,
    swept: Instant,
}

/// The connections of a source, as the time in which it may open as many.
struct Opened {
    takes: Duration,
    at: Instant,
}

/// A connection without a request in progress.
struct Waiting {
    source: Source,
    since: Instant,
    close: CancellationToken,
}

/// The connections of a source.
#[derive(Default)]
struct OfSource {
    open: usize,
    fresh: BTreeSet<u64>,
    idle: BTreeSet<u64>,
}

impl Full {
    /// Returns the name of the setting.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "max_connections",
            Self::PerSource => "max_connections_per_source",
            Self::NewPerSource => "max_new_connections_per_source",
        }
    }
}

impl Admission {
    /// Makes an admission without any open connection. The limits per source do not hold for `proxies`, through which
    /// many clients come.
    #[must_use]
    pub fn new(limits: ConnectionLimits, proxies: Networks) -> Self {
        let state = State {
            limits,
            proxies,
            next: 0,
            open: 0,
            sources: HashMap::new(),
            new: NewConnections { opened: HashMap::new(), swept: Instant::now() },
            waiting: BTreeMap::new(),
            fresh: BTreeSet::new(),
            idle: BTreeSet::new(),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Admits a new connection. If a limit is reached, another connection is closed to make room.
    ///
    /// # Errors
    /// Returns the limit that is reached if there is none to close, because all have a request in progress, or if the source
    /// opens too many connections in a second, for which making room would cost others more than a refusal.
    pub fn admit(&self, from: SocketAddr) -> Result<Permit, Full> {
        let (mut state, source, now) = (lock(&self.0), Source::from(from), Instant::now());
        if !state.proxies.contains(from.ip()) {
            let per_second = state.limits.new_per_source;
            state.new.count(source, now, per_second)?;
            state.make_room_at(source, now)?;
        }
        state.make_room(now)?;
        let closed = CancellationToken::new();
        state.open += 1;
        state.sources.entry(source).or_default().open += 1;
        let place = Place::Fresh(state.wait(source, now, closed.clone(), true));
        Ok(Permit { state: Arc::clone(&self.0), source, place, closed })
    }

    /// Returns the number of open connections.
    #[must_use]
    pub fn open(&self) -> usize {
        lock(&self.0).open
    }
}

impl Permit {
    /// Returns what is cancelled when the connection has to be closed to make room.
    #[must_use]
    pub fn closed(&self) -> CancellationToken {
        self.closed.clone()
    }

    /// Notes that the connection has a request in progress, so that it is not closed to make room.
    pub fn busy(&mut self) {
        // If it was closed to make room at this moment, it is no longer counted.
        if self.leave() {
            self.place = Place::Busy;
        }
    }

    /// Notes that the last request of the connection was answered.
    pub fn idle(&mut self) {
        if matches!(self.place, Place::Busy) {
            let number = lock(&self.state).wait(self.source, Instant::now(), self.closed.clone(), false);
            self.place = Place::Idle(number);
        }
    }

    /// Takes the connection out of those that can be closed to make room. Returns false if it was closed already.
    fn leave(&self) -> bool {
        match self.place {
            Place::Busy => true,
            Place::Fresh(number) | Place::Idle(number) => lock(&self.state).forget(number).is_some(),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.leave() {
            lock(&self.state).close(self.source);
        }
    }
}

impl NewConnections {
    /// Counts a connection of a source that may open `per_second`.
    fn count(&mut self, source: Source, now: Instant, per_second: usize) -> Result<(), Full> {
        if now - self.swept >= BURST {
            self.opened.retain(|_, opened| now - opened.at < BURST);
            self.swept = now;
        }
        let opened = self.opened.entry(source).or_insert(Opened { takes: Duration::ZERO, at: now });
        let takes = opened.takes.saturating_sub(now - opened.at)
            + Duration::from_secs(1) / u32::try_from(per_second).unwrap_or(u32::MAX).max(1);
        *opened = Opened { takes: takes.min(BURST), at: now };
        if takes > BURST { Err(Full::NewPerSource) } else { Ok(()) }
    }
}

impl State {
    /// Closes another connection of the source if it has reached a limit.
    fn make_room_at(&mut self, source: Source, now: Instant) -> Result<(), Full> {
        let ConnectionLimits { per_source, handshakes_per_source, .. } = self.limits;
        let of_source = self.sources.get(&source);
        if let Some(of_source) = of_source.filter(|of_source| of_source.open >= per_source) {
            let longest = self.longest(&of_source.fresh, &of_source.idle, now).ok_or(Full::PerSource)?;
            self.evict(longest);
        } else if let Some(of_source) = of_source.filter(|of_source| of_source.fresh.len() >= handshakes_per_source)
            && let Some(oldest) = of_source.fresh.first().copied()
        {
            self.evict(oldest);
        }
        Ok(())
    }

    /// Closes another connection if all together have reached the limit.
    fn make_room(&mut self, now: Instant) -> Result<(), Full> {
        if self.open >= self.limits.all {
            let longest = self.longest(&self.fresh, &self.idle, now).ok_or(Full::Connections)?;
            self.evict(longest);
        }
        Ok(())
    }

    /// Returns the connection to close: the oldest that has never sent a request, unless it is very new, and else the
    /// one that has been idle for the longest time.
    fn longest(&self, fresh: &BTreeSet<u64>, idle: &BTreeSet<u64>, now: Instant) -> Option<u64> {
        let fresh = fresh.first().copied();
        let is_old = |number: &u64| self.waiting.get(number).is_some_and(|waiting| now - waiting.since >= SPARED);
        fresh.filter(is_old).or_else(|| idle.first().copied()).or(fresh)
    }

    fn evict(&mut self, number: u64) {
        if let Some(waiting) = self.forget(number) {
            waiting.close.cancel();
            self.close(waiting.source);
        }
    }

    /// Adds a connection to those that can be closed to make room.
    fn wait(&mut self, source: Source, since: Instant, close: CancellationToken, is_fresh: bool) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, Waiting { source, since, close });
        let of_source = self.sources.entry(source).or_default();
        if is_fresh {
            self.fresh.insert(number);
            of_source.fresh.insert(number);
        } else {
            self.idle.insert(number);
            of_source.idle.insert(number);
        }
        number
    }

    fn forget(&mut self, number: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&number)?;
        self.fresh.remove(&number);
        self.idle.remove(&number);
        if let Some(of_source) = self.sources.get_mut(&waiting.source) {
            of_source.fresh.remove(&number);
            of_source.idle.remove(&number);
        }
        Some(waiting)
    }

    fn close(&mut self, source: Source) {
        self.open -= 1;
        if let Some(of_source) = self.sources.get_mut(&source) {
            of_source.open -= 1;
            if of_source.open == 0 {
                self.sources.remove(&source);
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(all: usize, per_source: usize, handshakes_per_source: usize) -> Admission {
        let proxies = Networks::parse(["192.0.2.200"]).unwrap();
        let new_per_source = 6;
        Admission::new(ConnectionLimits { all, per_source, handshakes_per_source, new_per_source }, proxies)
    }

    fn source(number: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, number], 1))
    }

    fn is_closed(permit: &Permit) -> bool {
        permit.closed.is_cancelled()
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_connection_without_a_request_makes_room() {
        let admission = admission(10, 2, 2);
        let first = admission.admit(source(1)).unwrap();
        let mut second = admission.admit(source(1)).unwrap();
        let other = admission.admit(source(2)).unwrap();
        second.busy();
        tokio::time::advance(SPARED).await;
        let third = admission.admit(source(1)).unwrap();
        assert!(is_closed(&first) && !is_closed(&second) && !is_closed(&other) && !is_closed(&third));
        assert_eq!(admission.open(), 3);
        drop(first);
        assert_eq!(admission.open(), 3, "it was counted until it made room, and not twice");
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_whose_connections_are_all_busy_gets_no_more() {
        let admission = admission(10, 2, 2);
        let mut permits = [admission.admit(source(1)).unwrap(), admission.admit(source(1)).unwrap()];
        permits.iter_mut().for_each(Permit::busy);
        assert_eq!(admission.admit(source(1)).err(), Some(Full::PerSource));
        assert!(admission.admit(source(2)).is_ok());
        permits[0].idle();
        assert!(admission.admit(source(1)).is_ok() && is_closed(&permits[0]));
    }

    #[tokio::test(start_paused = true)]
    async fn connections_that_never_send_a_request_replace_each_other_and_no_other_one() {
        let admission = admission(10, 5, 2);
        let mut used = admission.admit(source(1)).unwrap();
        used.busy();
        used.idle();
        let silent: Vec<Permit> = (0..50).map(|_| admission.admit(source(1)).unwrap()).collect();
        assert!(!is_closed(&used));
        assert_eq!(silent.iter().filter(|permit| !is_closed(permit)).count(), 2);
        assert_eq!(admission.open(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_opens_only_so_many_connections_in_a_second() {
        let admission = admission(1000, 1000, 1000);
        let open = |number: u8| (0..90).map(|_| admission.admit(source(number))).filter(Result::is_ok).count();
        assert_eq!((open(1), open(2), open(200)), (60, 60, 90), "a trusted proxy has no such limit");
        assert_eq!(admission.admit(source(1)).err(), Some(Full::NewPerSource));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(open(1), 6);
        tokio::time::advance(2 * BURST).await;
        assert_eq!(open(1), 60);
        assert_eq!(lock(&admission.0).new.opened.len(), 1, "nothing is kept of sources that opened none lately");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trusted_proxy_has_only_the_limit_on_all_connections() {
        let admission = admission(5, 2, 1);
        let mut permits: Vec<Permit> = (0..5).map(|_| admission.admit(source(200)).unwrap()).collect();
        assert!(!permits.iter().any(is_closed));
        permits.iter_mut().for_each(Permit::busy);
        assert_eq!(admission.admit(source(200)).err(), Some(Full::Connections));
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_on_all_connections_spares_those_that_have_just_been_opened() {
        let admission = admission(2, 2, 2);
        let mut idle = admission.admit(source(1)).unwrap();
        idle.busy();
        idle.idle();
        let new = admission.admit(source(2)).unwrap();
        let mut newest = admission.admit(source(3)).unwrap();
        assert!(is_closed(&idle) && !is_closed(&new));
        newest.busy();
        let mut last = admission.admit(source(4)).unwrap();
        assert!(is_closed(&new), "there is no other one to close");
        last.busy();
        assert_eq!(admission.admit(source(5)).err(), Some(Full::Connections));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_of_connections_that_are_gone() {
        let admission = admission(4, 2, 1);
        let mut permits: Vec<Permit> = (0..9).filter_map(|number| admission.admit(source(number % 3)).ok()).collect();
        permits.iter_mut().step_by(2).for_each(Permit::busy);
        permits.iter_mut().step_by(4).for_each(Permit::idle);
        drop(permits);
        let state = lock(&admission.0);
        assert_eq!((state.open, state.sources.len(), state.waiting.len()), (0, 0, 0));
        assert_eq!((state.fresh.len(), state.idle.len()), (0, 0));
    }
}
