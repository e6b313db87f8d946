//! The checks that all ways of inserting calls share: do-not-call lists, and the limit on calls that wait.

use std::time::Duration;

use super::app::App;
use crate::api::Error;
use crate::api::validate::{Rules, do_not_call as rules};
use crate::domain::limits::Limits;
use crate::pb::InsertBatchRequest;
use crate::store::calls::NewCall;
use crate::store::{Conn, Tx, do_not_call, queue_rules, queues};

/// The `Retry-After` of a request that exceeds the limit on waiting calls. Some of these will have been dialed by then.
const ROOM_LATER: Duration = Duration::from_secs(5);

impl App {
    /// Cancels those of the calls that would reach a number on a do-not-call list, and returns the warnings. `place`
    /// names the position of a call in its request.
    pub(super) async fn cancel_listed(
        &self,
        conn: &mut Conn,
        client_id: i64,
        calls: &mut [NewCall],
        place: impl Fn(usize) -> String,
    ) -> Result<Vec<String>, Error> {
        let listed = do_not_call::listed(conn, client_id, &rules::called(calls)).await?;
        Ok(rules::cancel_listed(calls, &listed, place))
    }
}

/// Reads the limits of the queue that a batch is added to, if a call of the batch may have several legs. To other calls
/// they do not matter.
pub async fn queue_limits(conn: &mut Conn, client_id: i64, request: &InsertBatchRequest) -> Result<Limits, Error> {
    let data = request.data.iter().filter_map(|item| item.action.as_ref()?.data.as_deref());
    let has_legs = data.into_iter().any(|data| data.contains('&'));
    let Some(id) = request.queue_id.filter(|_| has_legs) else {
        let new = request.rules.as_ref();
        return Ok(new.map_or_else(Limits::default, |new| Limits {
            max_live: new.max_live_calls,
            per_second: new.calls_per_second,
        }));
    };
    let rules = queue_rules::get(conn, client_id, id).await?.unwrap_or_default();
    Ok(Limits { max_live: rules.max_live_calls, per_second: rules.calls_per_second })
}

/// Refuses calls that exceed the limit on waiting calls, before any work is done for them. It may miss some.
pub async fn check_room(conn: &mut Conn, rules: &Rules, new: &[NewCall]) -> Result<(), Error> {
    let more = waiting(new);
    if let Some(most) = rules.limits.max_queued_calls.filter(|_| more > 0) {
        refuse_above(most, queues::waiting(conn, rules.client.id).await? + more)?;
    }
    Ok(())
}

/// Refuses the calls that a transaction has added if they exceed the limit on waiting calls, even if other transactions
/// add calls at the same time. `unstored` is the number of further calls that would wait, because they were only checked.
/// The transaction must be rolled back after an error.
pub async fn check_added(tx: &mut Tx, rules: &Rules, added: &[NewCall], unstored: i64) -> Result<(), Error> {
    if let Some(most) = rules.limits.max_queued_calls.filter(|_| waiting(added) > 0) {
        refuse_above(most, queues::waiting_exactly(tx, rules.client.id).await? + unstored)?;
    }
    Ok(())
}

/// Returns how many of the calls wait when they are stored.
pub fn waiting(calls: &[NewCall]) -> i64 {
    calls.iter().map(|call| i64::from(call.status.waits())).sum()
}

fn refuse_above(most: i64, waiting: i64) -> Result<(), Error> {
    if waiting > most {
        return Err(Error::ResourceExhausted { limit: "max_queued_calls", retry_after: ROOM_LATER });
    }
    Ok(())
}
