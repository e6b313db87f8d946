//! Notes from the dialplan about calls that are not live: they wait for a further attempt, or have ended.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Tx, with_conn};
use super::error::Result;
use super::events::NewEvent;
use super::schema::{call_events, calls};
use super::types::Id;
use crate::domain::event_kind::EventKind;
use crate::domain::note::{self, Note};
use crate::domain::status::CallStatus;

/// Makes the events of these notes. It skips a note about a call that does not exist or that another server placed, a
/// note about a call of another client than that of the reporting channel, and every note beyond the limit.
pub(super) async fn events(tx: &mut Tx, server: &str, notes: &[Note]) -> Result<Vec<NewEvent>> {
    let mut events = Vec::new();
    if notes.is_empty() {
        return Ok(events);
    }
    let ids: Vec<Id> = notes.iter().map(|note| note.call.into()).collect();
    let found: Vec<(Id, i64, i64, i16, i32)> = with_conn!(&mut **tx, |c| {
        calls::table
            .filter(calls::id.eq_any(&ids).and(calls::server_code.eq(server)))
            .select((calls::id, calls::client_id, calls::queue_id, calls::status, calls::attempts))
            .load(c)
            .await
    })?;
    let mut counts: HashMap<Id, i64> = with_conn!(&mut **tx, |c| {
        call_events::table
            .filter(call_events::call_id.eq_any(&ids).and(call_events::kind.eq(EventKind::Note as i16)))
            .group_by(call_events::call_id)
            .select((call_events::call_id.assume_not_null(), diesel::dsl::count_star()))
            .load::<(Id, i64)>(c)
            .await
    })?
    .into_iter()
    .collect();
    for note in notes {
        let Some(&(id, client_id, queue_id, status, attempts)) = found.iter().find(|(id, ..)| *id == note.call.into())
        else {
            continue;
        };
        let most = i64::from(note::MOST) * i64::from(attempts.max(1));
        let count = counts.entry(id).or_default();
        if note.client_id.is_some_and(|client| client != client_id) || *count >= most {
            continue;
        }
        *count += 1;
        events.push(NewEvent {
            call: Some(note.call),
            // 0 before the first attempt. An event without an attempt comes from outside the dialplan.
            attempt: Some(attempts),
            status: Some(CallStatus::try_from(status)?),
            detail: Some(note.text.clone()),
            ..NewEvent::of_queue(EventKind::Note, client_id, queue_id, note.at)
        });
    }
    Ok(events)
}
