//! The live calls with which a stream of events begins.

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::call_terms::TermKind;
use super::calls::Call;
use super::db::{Conn, with_conn};
use super::error::Result;
use super::events::Filter;
use super::schema::{attempts, call_terms, calls};
use super::types::Id;
use crate::domain::status::CallStatus;

/// Reads the calls that have a live attempt, for the snapshot that begins a stream: at most `limit` of them, those that
/// have been live for the longest time. Also returns how many there are in all.
pub async fn live(conn: &mut Conn, filter: &Filter, limit: i64) -> Result<(Vec<Call>, i64)> {
    let statuses: Vec<i16> = CallStatus::LIVE.iter().map(|status| status.code()).collect();
    /// The live calls that pass the filter, as a query of either engine. Live attempts are few, and have an index of
    /// their own.
    macro_rules! live {
        ($selected:expr) => {{
            let mut query = attempts::table
                .inner_join(calls::table)
                .filter(attempts::ended_at.is_null())
                .filter(calls::status.eq_any(&statuses))
                .select($selected)
                .into_boxed();
            if let Some(client_id) = filter.client_id {
                query = query.filter(calls::client_id.eq(client_id));
            }
            if !filter.queues.is_empty() {
                query = query.filter(calls::queue_id.eq_any(&filter.queues));
            }
            if let Some(call) = filter.call {
                query = query.filter(calls::id.eq(Id::from(call)));
            }
            if let Some(server) = &filter.server {
                query = query.filter(calls::server_code.eq(server));
            }
            if let Some(label) = &filter.label {
                // Asked for each live call, so that not all calls with the label are read.
                let labelled = call_terms::table
                    .filter(call_terms::kind.eq(TermKind::Label as i16).and(call_terms::value.eq(label.as_str())))
                    .filter(call_terms::client_id.eq(calls::client_id).and(call_terms::call_id.eq(calls::id)));
                query = query.filter(exists(labelled));
            }
            query
        }};
    }
    let oldest = attempts::started_at;
    let live: Vec<Call> = with_conn!(conn, |c| live!(Call::as_select()).order(oldest).limit(limit).load(c).await)?;
    let read = i64::try_from(live.len()).unwrap_or(i64::MAX);
    if read < limit {
        return Ok((live, read));
    }
    let count: i64 = with_conn!(conn, |c| live!(diesel::dsl::count_star()).first(c).await)?;
    Ok((live, count.max(read)))
}
