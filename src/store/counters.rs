//! The counters of queues: how many calls have each status. They change in the transaction that moves the calls.

use std::collections::BTreeMap;

use super::bulk::{self, row};
use super::db::Tx;
use super::error::Result;
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;
use crate::domain::transitions::IllegalTransition;

/// The sums of what a transaction moves. They are kept in the order of their keys, so that two transactions lock rows
/// in the same order.
#[derive(Debug, Default)]
pub struct Moves {
    queues: BTreeMap<i64, [i64; CallStatus::ALL.len()]>,
    lanes: BTreeMap<(i64, String), LaneMoves>,
}

/// How the counts of one queue's calls on one server change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LaneMoves {
    waiting: i64,
    /// How many of the waiting calls wait for a further attempt.
    retrying: i64,
    live: i64,
}

row! {
    struct QueueRow {
        id: i64 = BigInt,
        queued: i64 = BigInt,
        dialing: i64 = BigInt,
        ringing: i64 = BigInt,
        answered: i64 = BigInt,
        retrying: i64 = BigInt,
        completed: i64 = BigInt,
        failed: i64 = BigInt,
        expired: i64 = BigInt,
        canceled: i64 = BigInt,
        unknown: i64 = BigInt,
        at: i64 = BigInt,
    }
}

row! {
    struct LaneRow {
        queue_id: i64 = BigInt,
        server_code: String = Text,
        waiting: i64 = BigInt,
        live: i64 = BigInt,
        retrying: i64 = BigInt,
    }
}

impl Moves {
    /// Counts a call of `queue_id` on `server` that goes from one status to another; `from` is None for a new call. All
    /// code that moves calls comes through here, so this is where a move that is not in the list of transitions is
    /// refused.
    pub fn moved(
        &mut self,
        queue_id: i64,
        server: &str,
        from: Option<CallStatus>,
        to: CallStatus,
    ) -> Result<(), IllegalTransition> {
        CallStatus::check_move(from, to)?;
        let queue = self.queues.entry(queue_id).or_default();
        let lane = self.lanes.entry((queue_id, server.to_owned())).or_default();
        let mut add = |status: CallStatus, call: i64| {
            queue[status as usize - 1] += call;
            lane.waiting += if status.waits() { call } else { 0 };
            lane.retrying += if status == CallStatus::Retrying { call } else { 0 };
            lane.live += if status.is_live() { call } else { 0 };
        };
        if let Some(from) = from {
            add(from, -1);
        }
        add(to, 1);
        Ok(())
    }

    /// Counts a call of `queue_id` with this status that goes from one server to another.
    pub fn relocated(&mut self, queue_id: i64, from: &str, to: &str, status: CallStatus) {
        for (server, call) in [(from, -1), (to, 1)] {
            let lane = self.lanes.entry((queue_id, server.to_owned())).or_default();
            lane.waiting += if status.waits() { call } else { 0 };
            lane.retrying += if status == CallStatus::Retrying { call } else { 0 };
            lane.live += if status.is_live() { call } else { 0 };
        }
    }

    /// Returns the queues whose calls were moved.
    pub fn queue_ids(&self) -> impl Iterator<Item = i64> {
        self.queues.keys().copied()
    }

    /// Adds the sums to the counters in the store.
    pub async fn apply(&self, tx: &mut Tx, now: Millis) -> Result<()> {
        let queues: Vec<QueueRow> = self.queues.iter().map(|(&id, moved)| queue_row(id, moved, now)).collect();
        let update = "UPDATE queues SET queued = queues.queued + u.queued, dialing = queues.dialing + u.dialing, \
             ringing = queues.ringing + u.ringing, answered = queues.answered + u.answered, \
             retrying = queues.retrying + u.retrying, completed = queues.completed + u.completed, \
             failed = queues.failed + u.failed, expired = queues.expired + u.expired, \
             canceled = queues.canceled + u.canceled, unknown = queues.unknown + u.unknown, updated_at = u.at \
             FROM {rows} AS u WHERE queues.id = u.id";
        bulk::execute(tx, update, QueueRow::COLUMNS, &queues).await?;

        let lanes: Vec<LaneRow> = self
            .lanes
            .iter()
            .filter(|(_, moved)| **moved != LaneMoves::default())
            .map(|((queue_id, server), &LaneMoves { waiting, retrying, live })| LaneRow {
                queue_id: *queue_id,
                server_code: server.clone(),
                waiting,
                live,
                retrying,
            })
            .collect();
        let upsert = "INSERT INTO queue_lanes (queue_id, server_code, waiting, live, retrying) \
             SELECT queue_id, server_code, waiting, live, retrying FROM {rows} AS u WHERE true \
             ON CONFLICT (queue_id, server_code) DO UPDATE SET \
             waiting = queue_lanes.waiting + excluded.waiting, live = queue_lanes.live + excluded.live, \
             retrying = queue_lanes.retrying + excluded.retrying";
        bulk::execute(tx, upsert, LaneRow::COLUMNS, &lanes).await
    }
}

fn queue_row(id: i64, moved: &[i64; CallStatus::ALL.len()], now: Millis) -> QueueRow {
    let of = |status: CallStatus| moved[status as usize - 1];
    QueueRow {
        id,
        queued: of(CallStatus::Queued),
        dialing: of(CallStatus::Dialing),
        ringing: of(CallStatus::Ringing),
        answered: of(CallStatus::Answered),
        retrying: of(CallStatus::Retrying),
        completed: of(CallStatus::Completed),
        failed: of(CallStatus::Failed),
        expired: of(CallStatus::Expired),
        canceled: of(CallStatus::Canceled),
        unknown: of(CallStatus::Unknown),
        at: now.0,
    }
}
