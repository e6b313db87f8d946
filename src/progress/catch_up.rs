//! Takes turns among the watchers that read from the store, so that they leave it to others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

/// How many watchers read from the store at one time. SQLite has four readers.
const READS: usize = 2;

/// Who takes a turn: a client, or all administrators together.
type Who = Option<i64>;

/// Takes turns. Each client has one read at a time, so that the watchers of one wait for one another and not for those
/// of others: a client with a thousand of them gets no more turns than a client with one.
pub struct CatchUp {
    reads: Arc<Semaphore>,
    clients: Mutex<HashMap<Who, Arc<Semaphore>>>,
}

/// The permission to read from the store once.
pub struct Turn {
    began: Instant,
    read: Option<OwnedSemaphorePermit>,
    client: Option<OwnedSemaphorePermit>,
}

impl Default for CatchUp {
    fn default() -> Self {
        Self { reads: Arc::new(Semaphore::new(READS)), clients: Mutex::default() }
    }
}

impl CatchUp {
    /// Waits for a turn of the client.
    pub async fn turn(&self, who: Who) -> Turn {
        let client = {
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            // Nothing waits for a turn of which this map has the only handle.
            clients.retain(|_, turns| Arc::strong_count(turns) > 1);
            Arc::clone(clients.entry(who).or_insert_with(|| Arc::new(Semaphore::new(1))))
        };
        // Neither is ever closed.
        let client = client.acquire_owned().await.ok();
        let read = Arc::clone(&self.reads).acquire_owned().await.ok();
        Turn { began: Instant::now(), read, client }
    }
}

impl Turn {
    /// Ends the turn. The client's next turn begins after a pause as long as this one was, so that its watchers keep
    /// the store busy for half of the time at most.
    pub fn done(mut self) {
        drop(self.read.take());
        let took = self.began.elapsed();
        if let Some(client) = self.client.take() {
            tokio::spawn(async move {
                sleep(took).await;
                drop(client);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_has_one_turn_at_a_time_and_others_do_not_wait_for_it() {
        let turns = CatchUp::default();
        let first = turns.turn(Some(1)).await;
        let mut second = Box::pin(turns.turn(Some(1)));
        assert!((&mut second).now_or_never().is_none());
        let other = turns.turn(Some(2)).now_or_never();
        assert!(other.is_some(), "another client's turn");
        assert!(turns.turn(None).now_or_never().is_none(), "all reads are in use");
        drop(other);
        assert!(turns.turn(None).now_or_never().is_some());
        first.done();
        second.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_as_long_as_the_turn_follows_it() {
        let turns = CatchUp::default();
        let turn = turns.turn(Some(1)).await;
        tokio::time::advance(Duration::from_millis(30)).await;
        turn.done();
        let began = Instant::now();
        drop(turns.turn(Some(1)).await);
        assert!((30..32).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn nothing_is_kept_of_clients_that_take_no_turns() {
        let turns = CatchUp::default();
        for client in 0..100 {
            drop(turns.turn(Some(client)).await);
        }
        drop(turns.turn(None).await);
        assert!(turns.clients.lock().unwrap().len() <= 2);
    }
}
