//! The terms by which calls are found: one row for each, written with the call.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::bulk::{self, Hex, row};
use super::calls::NewCall;
use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::id_range::IdRange;
use super::schema::call_terms;
use super::types::Id;
use crate::domain::labels;

/// What the value of a term is. The store keeps these codes, whose meaning never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermKind {
    /// The code of the call's server. Every call has exactly one.
    Server = 1,
    /// The contact number, in decimal digits.
    ContactNumber = 2,
    /// The project that the client named.
    Project = 3,
    /// The ActionID that the client gave the call.
    ActionId = 4,
    /// The channel id that the client gave the call.
    ChannelId = 5,
    /// A label, as `key:value`.
    Label = 6,
}

/// A term that calls are found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// What the value is.
    pub kind: TermKind,
    /// The value that a call must have.
    pub value: String,
}

row! {
    struct Row {
        kind: i16 = SmallInt,
        value: String = Text,
        client_id: i64 = BigInt,
        call_id: Hex = Uuid,
    }
}

row! {
    struct MoveRow {
        call_id: Hex = Uuid,
        old: String = Text,
        new: String = Text,
    }
}

/// It is a deletion and an insertion, because the server is a part of the key.
const MOVE: [&str; 2] = [
    "INSERT INTO call_terms (kind, value, client_id, call_id) SELECT 1, u.new, calls.client_id, calls.id \
     FROM {rows} AS u JOIN calls ON calls.id = u.call_id WHERE u.new <> u.old",
    "DELETE FROM call_terms WHERE kind = 1 AND (value, client_id, call_id) IN (SELECT u.old, calls.client_id, calls.id \
     FROM {rows} AS u JOIN calls ON calls.id = u.call_id WHERE u.new <> u.old)",
];

/// Stores the terms of calls of a client that are being inserted.
pub(super) async fn insert(tx: &mut Tx, client_id: i64, new: &[NewCall]) -> Result<()> {
    let mut rows = Vec::with_capacity(new.len() * 3);
    for call in new {
        let mut add = |kind: TermKind, value: String| {
            rows.push(Row { kind: kind as i16, value, client_id, call_id: Hex(call.id.0) });
        };
        add(TermKind::Server, call.server_code.clone());
        if let Some(number) = call.contact_number {
            add(TermKind::ContactNumber, number.to_string());
        }
        for (kind, value) in [
            (TermKind::Project, &call.project),
            (TermKind::ActionId, &call.action_id),
            (TermKind::ChannelId, &call.spec.channel_id),
        ] {
            if let Some(value) = value {
                add(kind, value.clone());
            }
        }
        for (key, value) in &call.spec.labels {
            add(TermKind::Label, labels::text(key, value));
        }
    }
    bulk::insert(tx, "call_terms", Row::COLUMNS, &rows).await
}

/// Notes that calls have moved from one server to another, so that they are found by the new one.
pub async fn move_server(tx: &mut Tx, calls: &[Uuid], old: &str, new: &str) -> Result<()> {
    let row = |id: &Uuid| MoveRow { call_id: Hex(*id), old: old.to_owned(), new: new.to_owned() };
    let rows: Vec<MoveRow> = calls.iter().map(row).collect();
    for statement in MOVE {
        bulk::execute(tx, statement, MoveRow::COLUMNS, &rows).await?;
    }
    Ok(())
}

/// Returns the newest `limit` of a client's calls with a term, of those in a range.
pub(super) async fn newest(
    conn: &mut Conn,
    term: &Term,
    client_id: i64,
    range: IdRange,
    limit: i64,
) -> Result<Vec<Uuid>> {
    let found: Vec<Id> = with_conn!(conn, |c| {
        call_terms::table
            .filter(call_terms::kind.eq(term.kind as i16).and(call_terms::value.eq(&term.value)))
            .filter(call_terms::client_id.eq(client_id))
            .filter(call_terms::call_id.ge(Id(range.first)).and(call_terms::call_id.le(Id(range.last))))
            .order(call_terms::call_id.desc())
            .limit(limit)
            .select(call_terms::call_id)
            .load(c)
            .await
    })?;
    Ok(found.into_iter().map(|id| id.0).collect())
}

/// Returns those of the calls of these clients that have a term.
pub async fn having(conn: &mut Conn, term: &Term, clients: &[i64], calls: &[Id]) -> Result<Vec<Id>> {
    Ok(with_conn!(conn, |c| {
        call_terms::table
            .filter(call_terms::kind.eq(term.kind as i16).and(call_terms::value.eq(&term.value)))
            .filter(call_terms::client_id.eq_any(clients).and(call_terms::call_id.eq_any(calls)))
            .select(call_terms::call_id)
            .load(c)
            .await
    })?)
}

/// Returns the calls of all clients with one of the terms, in no order; None if there are more than `most`.
pub(super) async fn of_all_clients(conn: &mut Conn, terms: &[Term], most: usize) -> Result<Option<BTreeSet<Uuid>>> {
    let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
    let mut all = BTreeSet::new();
    for term in terms {
        let found: Vec<Id> = with_conn!(conn, |c| {
            call_terms::table
                .filter(call_terms::kind.eq(term.kind as i16).and(call_terms::value.eq(&term.value)))
                .limit(limit)
                .select(call_terms::call_id)
                .load(c)
                .await
        })?;
        all.extend(found.into_iter().map(|id| id.0));
        if all.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(all))
}
