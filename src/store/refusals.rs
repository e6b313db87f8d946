//! Waiting calls that end without an attempt, because a rule that was made after their insert forbids them.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::bulk::{self, Hex, row};
use super::counters::Moves;
use super::db::Tx;
use super::error::Result;
use super::events::NewEvent;
use super::status_sql::WAITS;
use crate::domain::commit::Refusal;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::CallId;

row! {
    struct RefusalRow {
        id: Hex = Uuid,
        status: i16 = SmallInt,
        outcome: i16 = SmallInt,
        at: i64 = BigInt,
        server_code: String = Text,
    }
}

static REFUSE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE calls SET status = u.status, outcome = u.outcome, ended_at = u.at \
         FROM {{rows}} AS u WHERE calls.id = u.id AND {waits} AND calls.server_code = u.server_code RETURNING calls.id AS id",
        waits = *WAITS
    )
});

/// Ends those of the calls on a lane's server that still wait.
pub(super) async fn refuse(
    tx: &mut Tx,
    server: &str,
    refusals: &[Refusal],
    moves: &mut Moves,
    events: &mut Vec<NewEvent>,
) -> Result<()> {
    let row = |refusal: &Refusal| RefusalRow {
        id: Hex(refusal.call.id.0),
        status: refusal.outcome.final_status().code(),
        outcome: refusal.outcome.code(),
        at: refusal.at.0,
        server_code: server.to_owned(),
    };
    let rows: Vec<RefusalRow> = refusals.iter().map(row).collect();
    let ended = bulk::execute_returning(tx, &REFUSE, RefusalRow::COLUMNS, &rows).await?;
    let ended: HashSet<CallId> = ended.into_iter().map(CallId).collect();
    for refusal in refusals.iter().filter(|refusal| ended.contains(&refusal.call.id)) {
        let (call, to) = (refusal.call, refusal.outcome.final_status());
        moves.moved(call.queue_id, server, Some(refusal.from), to)?;
        events.push(NewEvent {
            call: Some(call.id),
            status: Some(to),
            outcome: Some(refusal.outcome),
            detail: Some(refusal.why.clone()),
            ..NewEvent::of_queue(EventKind::Ended, call.client_id, call.queue_id, refusal.at)
        });
    }
    Ok(())
}
