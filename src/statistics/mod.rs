//! Statistics: one node follows the event log and counts what becomes of calls, by minute and by hour.
//!
//! Nothing is counted where calls are dialed, so that dialing costs the same with and without it. The counts are at most
//! about a second old, and exact: they are committed together with the place in the log up to which they go.

mod count;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::count::Projects;
use crate::domain::ids::CallId;
use crate::domain::statistics::{Counts, Key, minute};
use crate::domain::time::Millis;
use crate::store::statistics::{self, Level, Live};
use crate::store::types::Id;
use crate::store::{Db, Result, events};

/// How often the log is read on.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many events are counted in one transaction.
const CHUNK: i64 = 1000;

/// Counts what the event log reports.
pub struct Statistics {
    db: Db,
    node: String,
    projects: Projects,
    /// The minute in which calls were last seen live, and the largest numbers that were seen in it.
    peaks: (i64, HashMap<Level, i64>),
}

/// What there was to count.
enum Counted {
    /// As many events as fit into a transaction: there may be more.
    Full,
    /// All events of the log.
    All,
    /// Nothing, because another node counts.
    Other,
}

impl Statistics {
    /// Counts nothing before [`Statistics::run`]. `node` is the name of this node.
    #[must_use]
    pub fn new(db: Db, node: String) -> Self {
        Self { db, node, projects: Projects::default(), peaks: (0, HashMap::new()) }
    }

    /// Counts until `stop` is cancelled. A store that cannot be reached is tried again.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let began = Instant::now();
            let pause = match self.read_on().await {
                // A long log, as after an upgrade, is counted in the half of the time that others leave.
                Ok(Counted::Full) => began.elapsed(),
                Ok(Counted::All) => match self.note_peaks().await {
                    Ok(()) => INTERVAL,
                    Err(error) => {
                        warn!(%error, "cannot note how many calls are live; trying again");
                        INTERVAL
                    }
                },
                Ok(Counted::Other) => INTERVAL,
                Err(error) => {
                    warn!(%error, "cannot count calls for statistics; trying again");
                    INTERVAL
                }
            };
            if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    async fn read_on(&mut self) -> Result<Counted> {
        let Some(after) = self.cursor().await? else { return Ok(Counted::Other) };
        let mut conn = self.db.read().await?;
        let events = events::after(&mut conn, after, CHUNK).await?;
        let Some(last) = events.last().map(|event| event.seq) else { return Ok(Counted::All) };
        let mut ids: Vec<Id> =
            events.iter().filter(|event| count::counts(event)).filter_map(|event| event.call_id).collect();
        ids.sort_unstable_by_key(|id| id.0);
        ids.dedup();
        let calls = statistics::facts(&mut conn, &ids).await?;
        let attempts = statistics::attempts(&mut conn, &ids).await?;
        drop(conn);
        let attempts =
            attempts.into_iter().map(|attempt| ((CallId::from(attempt.call), attempt.number), attempt)).collect();
        let counts = count::count(&events, &calls, &attempts, &mut self.projects);
        let counted = self.db.run(store(self.db.clone(), after, last, counts));
        let is_full = i64::try_from(events.len()).unwrap_or(i64::MAX) == CHUNK;
        Ok(match counted.await? {
            false => Counted::Other,
            true if is_full => Counted::Full,
            true => Counted::All,
        })
    }

    /// Returns the number of the last event that was counted. None if another node counts.
    async fn cursor(&self) -> Result<Option<i64>> {
        if self.db.shared_url().is_none() {
            // There is no other node, and a database that no one uses should not be written to each second.
            return statistics::cursor(&mut self.db.read().await?).await.map(Some);
        }
        let mut tx = self.db.begin().await?;
        let after = statistics::take(&mut tx, &self.node, Millis::now()).await?;
        if after.is_some() {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        Ok(after)
    }

    /// Notes how many calls are live now, if they are more than before in this minute.
    async fn note_peaks(&mut self) -> Result<()> {
        let live = statistics::live(&mut self.db.read().await?).await?;
        let minute = minute(Millis::now());
        if self.peaks.0 != minute {
            self.peaks = (minute, HashMap::new());
        }
        let mut higher = HashMap::new();
        for (level, live) in levels(&live) {
            let peak = self.peaks.1.entry(level.clone()).or_default();
            if live > *peak {
                *peak = live;
                higher.insert(level, live);
            }
        }
        if higher.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        statistics::note_peaks(&mut tx, minute, &higher).await?;
        tx.commit().await
    }
}

/// Stores counts together with the number of the last event that they include. Returns false if another node has counted
/// these events.
async fn store(db: Db, after: i64, last: i64, counts: BTreeMap<(i64, Key), Counts>) -> Result<bool> {
    let mut tx = db.begin().await?;
    if !statistics::advance(&mut tx, after, last).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    statistics::add(&mut tx, &counts).await?;
    tx.commit().await?;
    Ok(true)
}

/// Adds up live calls: all of them, and those of each server, client and queue. Quick calls have no queue of their own.
fn levels(live: &[Live]) -> HashMap<Level, i64> {
    let mut levels: HashMap<Level, i64> = HashMap::new();
    for Live { client_id, queue_id, server, live, .. } in live {
        let of_queue = (*queue_id != 0).then(|| (*client_id, *queue_id, String::new()));
        let of_all = [(0, 0, String::new()), (0, 0, server.clone()), (*client_id, 0, String::new())];
        for level in of_all.into_iter().chain(of_queue) {
            *levels.entry(level).or_default() += live;
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_calls_are_added_up_for_all_and_for_each_server_client_and_queue() {
        let live = |client_id, queue_id, server: &str, live| Live {
            client_id,
            queue_id,
            server: server.into(),
            live,
            waiting: 9,
        };
        let levels = levels(&[live(1, 5, "a", 2), live(1, 5, "b", 3), live(1, 0, "a", 1), live(2, 6, "a", 4)]);
        let of = |client: i64, queue: i64, server: &str| levels.get(&(client, queue, server.to_owned())).copied();
        assert_eq!((of(0, 0, ""), of(0, 0, "a"), of(0, 0, "b")), (Some(10), Some(7), Some(3)));
        assert_eq!((of(1, 0, ""), of(2, 0, ""), of(1, 5, ""), of(2, 6, "")), (Some(6), Some(4), Some(5), Some(4)));
        assert_eq!(levels.len(), 7);
    }
}
