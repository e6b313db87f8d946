//! Reads from the store what a lane may dial next, so that the lane itself never waits for the store.

use std::collections::HashMap;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::scheduler::LINE;
use crate::domain::time::Millis;
use crate::store::calls::Call;
use crate::store::queues::Queue;
use crate::store::{Db, Result, lanes};

/// Quick calls that are read at once.
const QUICK: usize = 256;

/// Calls past their deadline that are read at once.
const OVERDUE: usize = 512;

/// What a lane asks for.
#[derive(Debug, Default)]
pub struct Ask {
    /// How many calls of each queue are at hand; those claimed but not committed yet count too.
    pub at_hand: HashMap<i64, usize>,
    /// Queues of live calls, whose retry rules must be known when these end.
    pub rules_of: Vec<i64>,
}

/// What it gets.
#[derive(Debug, Default)]
pub struct Feed {
    /// Queues that may be dialed now.
    pub runnable: Vec<Queue>,
    /// The queues asked for besides.
    pub others: Vec<Queue>,
    /// Due calls by queue.
    pub due: Vec<Due>,
    /// Due quick calls, oldest first.
    pub quick: Vec<Call>,
    /// More of them are there than were read.
    pub more_quick: bool,
    /// Waiting calls whose deadline has passed.
    pub overdue: Vec<Call>,
    /// More of those are there than were read.
    pub more: bool,
}

/// What is due in one queue.
#[derive(Debug)]
pub struct Due {
    /// The queue.
    pub queue_id: i64,
    /// In their order.
    pub calls: Vec<Call>,
    /// More are there than were read.
    pub more: bool,
}

/// Starts the feeder of a server's lane: it answers each [`Ask`] with one [`Feed`].
pub fn start(
    db: Db,
    server: String,
    stop: CancellationToken,
) -> (mpsc::UnboundedSender<Ask>, mpsc::UnboundedReceiver<Option<Feed>>) {
    let (ask, mut asks) = mpsc::unbounded_channel::<Ask>();
    let (feed, feeds) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                asked = asks.recv() => asked,
            };
            let Some(asked) = asked else { return };
            let read = read(&db, &server, &asked).await;
            if let Err(error) = &read {
                warn!(%server, %error, "cannot read what is due");
            }
            if feed.send(read.ok()).is_err() {
                return;
            }
        }
    });
    (ask, feeds)
}

async fn read(db: &Db, server: &str, asked: &Ask) -> Result<Feed> {
    let now = Millis::now();
    let mut conn = db.read().await?;
    let mut feed = Feed { runnable: lanes::runnable(&mut conn, server).await?, ..Feed::default() };
    let unknown: Vec<i64> =
        asked.rules_of.iter().copied().filter(|id| feed.runnable.iter().all(|queue| queue.id != *id)).collect();
    if !unknown.is_empty() {
        feed.others = lanes::queues(&mut conn, &unknown).await?;
    }
    feed.quick = lanes::due_quick(&mut conn, server, now, rows(QUICK)).await?;
    for queue in &feed.runnable {
        let at_hand = asked.at_hand.get(&queue.id).copied().unwrap_or(0);
        if at_hand >= LINE / 2 {
            continue;
        }
        // What is at hand is read again, for the store still calls it waiting; the scheduler leaves it out.
        let limit = LINE + at_hand;
        let calls = lanes::due(&mut conn, server, queue.id, now, rows(limit)).await?;
        feed.due.push(Due { queue_id: queue.id, more: calls.len() == limit, calls });
    }
    feed.more_quick = feed.quick.len() == QUICK;
    feed.overdue = lanes::overdue(&mut conn, server, now, rows(OVERDUE)).await?;
    feed.more = feed.overdue.len() == OVERDUE;
    Ok(feed)
}

fn rows(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
