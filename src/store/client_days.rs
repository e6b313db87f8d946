//! How many legs a client has called on a day, and for how many seconds, on each server. Days are those of UTC.
//!
//! Each lane counts in rows of its own, so that lanes do not wait for one another. Only the claims of clients with a limit
//! are decided one group after the other, under a lock on a row of the client's.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::bulk::{self, row};
use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::schema::{attempts, calls, client_days};
use crate::domain::commit::{Change, Claim, What};
use crate::domain::destination::day;
use crate::domain::ids::CallId;
use crate::domain::spend::Spent;
use crate::domain::time::Millis;

row! {
    struct DayRow {
        client_id: i64 = BigInt,
        server_code: String = Text,
        day: i32 = Integer,
        calls: i64 = BigInt,
        seconds: i64 = BigInt,
    }
}

const COUNT: &str = "INSERT INTO client_days (client_id, server_code, day, calls, seconds) \
     SELECT client_id, server_code, day, calls, seconds FROM {rows} AS u WHERE true \
     ON CONFLICT (client_id, server_code, day) DO UPDATE SET calls = client_days.calls + excluded.calls, \
     seconds = client_days.seconds + excluded.seconds";

/// The server of the rows that only lock a client's day.
const LOCK: &str = "";

/// What a group adds to the counts.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<(i64, i32), (i64, i64)>);

impl Counts {
    /// Counts the legs of a claim that was granted, or that is taken back if `sign` is -1.
    pub(super) fn claimed(&mut self, claim: &Claim, sign: i64) {
        if claim.checks.legs > 0 {
            self.add(claim.call.client_id, claim.at, sign * i64::from(claim.checks.legs), 0);
        }
    }

    /// Counts the seconds of a call that has ended, or that a CDR corrects.
    pub(super) fn changed(&mut self, change: &Change) {
        let seconds = match change.what {
            What::Ended { billable_seconds, .. } => billable_seconds.unwrap_or(0),
            What::Billed { more, .. } => more,
            What::Moved { .. } | What::Told { .. } => 0,
        };
        if seconds != 0 {
            self.add(change.call.client_id, change.at, 0, seconds.into());
        }
    }

    fn add(&mut self, client_id: i64, at: Millis, calls: i64, seconds: i64) {
        let count = self.0.entry((client_id, day(at).0)).or_default();
        *count = (count.0 + calls, count.1 + seconds);
    }

    /// Adds the counts to those of a lane's server.
    pub(super) async fn apply(self, tx: &mut Tx, server: &str) -> Result<()> {
        let row = |((client_id, day), (calls, seconds))| {
            let server_code = server.to_owned();
            DayRow { client_id, server_code, day, calls, seconds }
        };
        let rows: Vec<DayRow> = self.0.into_iter().map(row).collect();
        bulk::execute(tx, COUNT, DayRow::COLUMNS, &rows).await
    }
}

/// Returns those of the claims whose clients have spent as much today as they may, with the claims before them. Until the
/// commit, no other lane decides about a claim of these clients.
pub(super) async fn used_up(tx: &mut Tx, claims: &[Claim], now: Millis) -> Result<HashSet<CallId>> {
    let limited = || claims.iter().filter_map(|claim| Some((claim, claim.checks.spend?)));
    let days: BTreeSet<(i64, i32)> = limited().map(|(claim, _)| (claim.call.client_id, day(claim.at).0)).collect();
    if days.is_empty() {
        return Ok(HashSet::new());
    }
    let lock = |(client_id, day): &(i64, i32)| {
        let server_code = LOCK.to_owned();
        DayRow { client_id: *client_id, server_code, day: *day, calls: 0, seconds: 0 }
    };
    let locks: Vec<DayRow> = days.iter().map(lock).collect();
    bulk::execute(tx, COUNT, DayRow::COLUMNS, &locks).await?;
    let mut spent: HashMap<(i64, i32), Spent> = HashMap::new();
    for (client_id, day) in days.iter().copied() {
        let of_client = self::spent(tx, &[client_id], day, now).await?;
        spent.insert((client_id, day), of_client.get(&client_id).copied().unwrap_or_default());
    }
    let mut used_up = HashSet::new();
    for (claim, limits) in limited() {
        let spent = spent.entry((claim.call.client_id, day(claim.at).0)).or_default();
        if limits.reached(*spent, 0).is_some() {
            used_up.insert(claim.call.id);
        } else {
            spent.calls += i64::from(claim.checks.legs);
        }
    }
    Ok(used_up)
}

/// Reads what these clients have spent on a day, with the live calls so far. A client that is absent has spent nothing.
pub async fn spent(conn: &mut Conn, clients: &[i64], day: i32, now: Millis) -> Result<HashMap<i64, Spent>> {
    // The SUM of BIGINTs is NUMERIC in PostgreSQL.
    let sum = |column: &str| diesel::dsl::sql::<BigInt>(&format!("CAST(SUM(client_days.{column}) AS BIGINT)"));
    let counted: Vec<(i64, i64, i64)> = with_conn!(conn, |c| {
        client_days::table
            .filter(client_days::client_id.eq_any(clients).and(client_days::day.eq(day)))
            .group_by(client_days::client_id)
            .select((client_days::client_id, sum("calls"), sum("seconds")))
            .load(c)
            .await
    })?;
    // Live attempts are few, and have an index of their own.
    let live: Vec<(i64, Option<i64>)> = with_conn!(conn, |c| {
        attempts::table
            .inner_join(calls::table)
            .filter(attempts::ended_at.is_null().and(attempts::answered_at.is_not_null()))
            .filter(calls::client_id.eq_any(clients))
            .select((calls::client_id, attempts::answered_at))
            .load(c)
            .await
    })?;
    let mut spent: HashMap<i64, Spent> = HashMap::new();
    for (client, calls, seconds) in counted {
        spent.insert(client, Spent { calls, seconds });
    }
    for (client, answered) in live {
        let seconds = answered.map_or(0, |answered| now.since(Millis(answered)).as_secs());
        spent.entry(client).or_default().seconds += i64::try_from(seconds).unwrap_or(0);
    }
    Ok(spent)
}

/// Deletes the counts of the days before `day`.
pub async fn forget(tx: &mut Tx, day: i32) -> Result<usize> {
    let old = client_days::table.filter(client_days::day.lt(day));
    Ok(with_conn!(&mut **tx, |c| diesel::delete(old).execute(c).await)?)
}
