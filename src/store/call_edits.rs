//! Changes of single calls that wait.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::calls::{self, Call};
use super::db::{Tx, with_conn};
use super::error::Result;
use super::events::{self, NewEvent};
use super::schema::{calls as rows, queues};
use crate::domain::event_kind::EventKind;
use crate::domain::time::Millis;

/// What is changed of a call that waits. A field that is None stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallEdit {
    /// When the call expires; None if it does not.
    pub deadline: Option<Option<Millis>>,
    /// When the call is due.
    pub due: Option<Due>,
    /// How many further attempts the call asks for.
    pub max_retries: Option<i32>,
}

/// When a call is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The call is not dialed before this time.
    At(Millis),
    /// The call is dialed before the other calls of its queue that wait for its server.
    Next,
}

impl CallEdit {
    /// Returns what a timeline says about the change.
    fn event_text(&self) -> String {
        let due = match self.due {
            Some(Due::At(_)) => Some("not_before"),
            Some(Due::Next) => Some("dial_next"),
            None => None,
        };
        let fields = [self.deadline.map(|_| "deadline"), due, self.max_retries.map(|_| "retry")];
        format!("changed: {}", fields.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// Changes a call if it still waits as it was read. Returns the call after the change, or None if it no longer waits so.
pub async fn edit(tx: &mut Tx, call: &Call, edit: CallEdit, now: Millis) -> Result<Option<Call>> {
    let due_at = match edit.due {
        None => None,
        Some(Due::At(at)) => Some(at.0.max(now.0)),
        Some(Due::Next) => Some(before_all(tx, call.queue_id).await?),
    };
    let deadline = edit.deadline.map(|deadline| deadline.map(|at| at.0));
    let changed = with_conn!(&mut **tx, |c| {
        diesel::update(rows::table.find(call.id))
            .filter(rows::status.eq(call.status).and(rows::attempts.eq(call.attempts)))
            .set((
                rows::deadline.eq(deadline.unwrap_or(call.deadline)),
                edit.deadline.map(|_| rows::deadline_is_default.eq(false)),
                rows::due_at.eq(due_at.unwrap_or(call.due_at)),
                rows::max_retries.eq(edit.max_retries.unwrap_or(call.max_retries)),
            ))
            .execute(c)
            .await
    })?;
    if changed == 0 {
        return Ok(None);
    }
    let note = NewEvent {
        call: Some(call.id.into()),
        status: Some(call.status()?),
        detail: Some(edit.event_text()),
        ..NewEvent::of_queue(EventKind::Note, call.client_id, call.queue_id, now)
    };
    events::append(tx, vec![note]).await?;
    calls::get(tx, None, call.id.into()).await
}

/// Returns a due time before that of every call of a queue: calls are stored after their queue, and are due from then on.
async fn before_all(tx: &mut Tx, queue_id: i64) -> Result<i64> {
    let created_at: i64 =
        with_conn!(&mut **tx, |c| queues::table.find(queue_id).select(queues::created_at).first(c).await)?;
    Ok(created_at - 1)
}
