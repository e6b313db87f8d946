//! How often a client called a number on a day, and the calls that wait for another day because of it.
//!
//! Days are those of UTC. Only calls of clients with such a limit are counted, in the commit that claims them.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::bulk::{self, Hex, row};
use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::schema::{calls, destination_days};
use super::status_sql::{WAITS, waits_and};
use crate::domain::commit::Deferral;
use crate::domain::destination::Destination;
use crate::domain::time::Millis;

row! {
    struct DayRow {
        client_id: i64 = BigInt,
        number: String = Text,
        day: i32 = Integer,
        calls: i32 = Integer,
    }
}

row! {
    struct DeferralRow {
        id: Hex = Uuid,
        due_at: i64 = BigInt,
    }
}

const COUNT: &str = "INSERT INTO destination_days (client_id, number, day, calls) \
     SELECT client_id, number, day, calls FROM {rows} AS u WHERE true \
     ON CONFLICT (client_id, number, day) DO UPDATE SET calls = destination_days.calls + excluded.calls";

static DEFER: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE calls SET due_at = u.due_at, another_day = TRUE \
         FROM {{rows}} AS u WHERE calls.id = u.id AND {waits}",
        waits = *WAITS
    )
});

/// Adds `calls` to the count of each destination. With 0 it only locks the rows, in the same order for all lanes, so
/// that what is read of them next stays true until the commit.
pub(super) async fn count(tx: &mut Tx, destinations: &[(i64, &Destination)], calls: i32) -> Result<()> {
    let mut summed: BTreeMap<(i64, &str, i32), i32> = BTreeMap::new();
    for (client_id, destination) in destinations {
        *summed.entry((*client_id, &destination.number, destination.day)).or_default() += calls;
    }
    let row = |((client_id, number, day), calls): ((i64, &str, i32), i32)| DayRow {
        client_id,
        number: number.to_owned(),
        day,
        calls,
    };
    let rows: Vec<DayRow> = summed.into_iter().map(row).collect();
    bulk::execute(tx, COUNT, DayRow::COLUMNS, &rows).await
}

/// Makes calls wait for another day.
pub(super) async fn defer(tx: &mut Tx, deferrals: &[Deferral]) -> Result<()> {
    let row = |deferral: &Deferral| DeferralRow { id: Hex(deferral.call.id.0), due_at: deferral.until.0 };
    let rows: Vec<DeferralRow> = deferrals.iter().map(row).collect();
    bulk::execute(tx, &DEFER, DeferralRow::COLUMNS, &rows).await
}

/// Reads how often a client called each of these numbers on a day. A number that is absent was not called.
pub async fn counts(conn: &mut Conn, client_id: i64, numbers: &[String], day: i32) -> Result<HashMap<String, i32>> {
    let found: Vec<(String, i32)> = with_conn!(conn, |c| {
        destination_days::table
            .filter(destination_days::client_id.eq(client_id).and(destination_days::number.eq_any(numbers)))
            .filter(destination_days::day.eq(day))
            .select((destination_days::number, destination_days::calls))
            .load(c)
            .await
    })?;
    Ok(found.into_iter().collect())
}

/// Makes the calls of these clients that wait for another day due again, because the clients' limits have changed.
pub async fn release(tx: &mut Tx, server: &str, clients: &[i64], now: Millis) -> Result<usize> {
    Ok(with_conn!(&mut **tx, |c| {
        diesel::update(calls::table)
            .filter(calls::server_code.eq(server).and(calls::client_id.eq_any(clients)))
            .filter(waits_and("calls.another_day"))
            .filter(calls::due_at.gt(now.0))
            .set((calls::due_at.eq(now.0), calls::another_day.eq(false)))
            .execute(c)
            .await
    })?)
}

/// Reads how many calls of a queue wait for another day on a server, and when the first of those days begins.
pub async fn waiting(conn: &mut Conn, server: &str, queue_id: i64, now: Millis) -> Result<Option<(i64, Millis)>> {
    use diesel::dsl::{count_star, min};
    let (count, first): (i64, Option<i64>) = with_conn!(conn, |c| {
        calls::table
            .filter(calls::server_code.eq(server).and(calls::queue_id.eq(queue_id)))
            .filter(waits_and("calls.another_day"))
            .filter(calls::due_at.gt(now.0))
            .select((count_star(), min(calls::due_at)))
            .first(c)
            .await
    })?;
    Ok(first.map(|first| (count, Millis(first))))
}

/// Deletes the counts of the days before `day`.
pub async fn forget(tx: &mut Tx, day: i32) -> Result<usize> {
    let old = destination_days::table.filter(destination_days::day.lt(day));
    Ok(with_conn!(&mut **tx, |c| diesel::delete(old).execute(c).await)?)
}
