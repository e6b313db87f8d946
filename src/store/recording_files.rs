//! Which call records to which file, so that no call overwrites the recording of another one.
//!
//! A file that is named after its call needs no row, because no other call has that id: see
//! [`recording_file`](crate::domain::recording_file).

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::bulk::{self, Hex, row};
use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::schema::{calls, recording_files};
use super::types::Id;
use crate::domain::ids::CallId;
use crate::domain::originate::OriginateSpec;
use crate::domain::recording_file::{named_after, unique, written};

row! {
    struct FileRow {
        server_code: String = Text,
        path: String = Text,
        call_id: Hex = Uuid,
    }
}

row! {
    struct SpecRow {
        id: Hex = Uuid,
        plan: String = Text,
    }
}

const CLAIM: &str = "INSERT INTO recording_files (server_code, path, call_id) \
     SELECT server_code, path, call_id FROM {rows} AS u WHERE true ON CONFLICT DO NOTHING RETURNING call_id AS id";

const SET_SPEC: &str = "UPDATE calls SET plan = u.plan FROM {rows} AS u WHERE calls.id = u.id";

/// A call that records to a path.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The call that is recorded.
    pub call: CallId,
    /// The code of the server that the call is placed through.
    pub server: &'a str,
    /// The path that the call names.
    pub path: &'a str,
}

impl Wanted<'_> {
    fn is_own(&self) -> bool {
        named_after(self.path) == Some(self.call)
    }
}

/// Reserves the files of these calls, and returns the paths of those that must record to another file, because another
/// call has theirs.
pub async fn claim(tx: &mut Tx, wanted: &[Wanted<'_>]) -> Result<HashMap<CallId, String>> {
    let named: Vec<&Wanted<'_>> = wanted.iter().filter(|wanted| !wanted.is_own()).collect();
    if named.is_empty() {
        return Ok(HashMap::new());
    }
    // A file that is named after another call is that call's, although it has no row.
    let others: Vec<Id> = named.iter().filter_map(|wanted| named_after(wanted.path)).map(Id::from).collect();
    let others = existing(tx, &others).await?;
    let is_others = |wanted: &Wanted<'_>| named_after(wanted.path).is_some_and(|call| others.contains(&call));
    let row = |wanted: &&Wanted<'_>| FileRow {
        server_code: wanted.server.to_owned(),
        path: written(wanted.path),
        call_id: Hex(wanted.call.0),
    };
    let mut rows: Vec<FileRow> = named.iter().copied().filter(|wanted| !is_others(wanted)).map(|w| row(&w)).collect();
    // In one order for all transactions, so that none waits for another that waits for it. Among calls with one path, the
    // first one of the batch has it.
    rows.sort_by(|one, other| (&one.server_code, &one.path).cmp(&(&other.server_code, &other.path)));
    let claimed = bulk::execute_returning(tx, CLAIM, FileRow::COLUMNS, &rows).await?;
    let claimed: HashSet<CallId> = claimed.into_iter().map(CallId).collect();
    let left = named.into_iter().filter(|wanted| !claimed.contains(&wanted.call));
    Ok(left.map(|wanted| (wanted.call, unique(wanted.path, wanted.call))).collect())
}

/// Returns those of the calls whose file is not reserved for them: another program put them into the store.
pub async fn unclaimed<'a>(conn: &mut Conn, wanted: &[Wanted<'a>]) -> Result<Vec<Wanted<'a>>> {
    let named: Vec<Wanted<'a>> = wanted.iter().copied().filter(|wanted| !wanted.is_own()).collect();
    if named.is_empty() {
        return Ok(named);
    }
    let paths: Vec<String> = named.iter().map(|wanted| written(wanted.path)).collect();
    let servers: Vec<&str> = named.iter().map(|wanted| wanted.server).collect();
    let found: Vec<(String, String, Id)> = with_conn!(conn, |c| {
        recording_files::table
            .filter(recording_files::server_code.eq_any(&servers).and(recording_files::path.eq_any(&paths)))
            .select((recording_files::server_code, recording_files::path, recording_files::call_id))
            .load(c)
            .await
    })?;
    let owners: HashMap<(String, String), CallId> =
        found.into_iter().map(|(server, path, call)| ((server, path), call.into())).collect();
    let is_owner =
        |wanted: &Wanted<'_>| owners.get(&(wanted.server.to_owned(), written(wanted.path))) == Some(&wanted.call);
    Ok(named.into_iter().filter(|wanted| !is_owner(wanted)).collect())
}

/// Stores what these waiting calls originate, after their recordings got other paths.
pub async fn set_specs(tx: &mut Tx, specs: &[(CallId, OriginateSpec)]) -> Result<()> {
    let row = |(call, spec): &(CallId, OriginateSpec)| -> Result<SpecRow> {
        Ok(SpecRow { id: Hex(call.0), plan: serde_json::to_string(spec)? })
    };
    let rows = specs.iter().map(row).collect::<Result<Vec<SpecRow>>>()?;
    bulk::execute(tx, SET_SPEC, SpecRow::COLUMNS, &rows).await
}

async fn existing(tx: &mut Tx, ids: &[Id]) -> Result<HashSet<CallId>> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let found: Vec<Id> =
        with_conn!(&mut **tx, |c| calls::table.filter(calls::id.eq_any(ids)).select(calls::id).load(c).await)?;
    Ok(found.into_iter().map(CallId::from).collect())
}
