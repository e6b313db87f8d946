//! Reads the store at the end with SQL of its own, so that a fault in the store's code cannot hide another.

use std::path::Path;

use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, QueryableByName, RunQueryDsl};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use crate::history::{AttemptRow, CallRow, EventRow, LaneRow, QueueRow, StoreDump};

/// A row of numbers and texts of any table.
#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    a: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    b: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    c: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    d: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    e: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    f: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    g: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    h: Option<i64>,
}

/// `{id(COLUMN)}` stands for the digits of a UUID; everything else is the same in both engines.
const CALLS: &str = "SELECT {id(id)} AS a, project AS b, queue_id AS c, batch_id AS d, CAST(status AS BIGINT) AS e, \
     CAST(outcome AS BIGINT) AS f, CAST(attempts AS BIGINT) AS g, CAST(max_retries AS BIGINT) AS h FROM calls";
const ATTEMPTS: &str = "SELECT {id(id)} AS a, {id(call_id)} || ' ' || channel_id AS b, CAST(number AS BIGINT) AS c, \
     ended_at AS d, CAST(outcome AS BIGINT) AS e, CAST(NULL AS BIGINT) AS f, CAST(NULL AS BIGINT) AS g, \
     CAST(NULL AS BIGINT) AS h FROM attempts";
const EVENTS: &str = "SELECT {id(call_id)} AS a, CAST(NULL AS TEXT) AS b, seq AS c, CAST(kind AS BIGINT) AS d, \
     CAST(attempt AS BIGINT) AS e, CAST(status AS BIGINT) AS f, CAST(outcome AS BIGINT) AS g, batch_id AS h \
     FROM call_events ORDER BY seq";
const QUEUES: &str = "SELECT CAST(NULL AS TEXT) AS a, queued || ' ' || dialing || ' ' || ringing || ' ' || answered || ' ' || \
     retrying || ' ' || completed || ' ' || failed || ' ' || expired || ' ' || canceled || ' ' || unknown AS b, \
     id AS c, total_calls AS d, CAST(NULL AS BIGINT) AS e, CAST(NULL AS BIGINT) AS f, CAST(NULL AS BIGINT) AS g, \
     CAST(NULL AS BIGINT) AS h FROM queues";
const LANES: &str = "SELECT CAST(NULL AS TEXT) AS a, CAST(NULL AS TEXT) AS b, queue_id AS c, waiting AS d, live AS e, \
     CAST(NULL AS BIGINT) AS f, CAST(NULL AS BIGINT) AS g, CAST(NULL AS BIGINT) AS h FROM queue_lanes";

/// Reads a SQLite file that no process writes to any more.
pub fn of_file(path: &Path) -> StoreDump {
    let mut conn = SqliteConnection::establish(path.to_str().expect("a UTF-8 path")).expect("the store");
    let mut load = |sql: &str| -> Vec<Row> {
        diesel::sql_query(with_ids(sql, "lower(hex(", "))")).load(&mut conn).expect("a readable store")
    };
    StoreDump {
        calls: load(CALLS).into_iter().map(call).collect(),
        attempts: load(ATTEMPTS).into_iter().map(attempt).collect(),
        events: load(EVENTS).into_iter().map(event).collect(),
        queues: load(QUEUES).into_iter().map(queue).collect(),
        lanes: load(LANES).into_iter().map(lane).collect(),
    }
}

/// Reads a PostgreSQL database.
pub async fn of_database(url: &str) -> StoreDump {
    let mut conn = AsyncPgConnection::establish(url).await.expect("the database");
    let mut load = async |sql: &str| -> Vec<Row> {
        let query = diesel::sql_query(with_ids(sql, "replace(CAST(", " AS TEXT), '-', '')"));
        diesel_async::RunQueryDsl::load(query, &mut conn).await.expect("a readable store")
    };
    StoreDump {
        calls: load(CALLS).await.into_iter().map(call).collect(),
        attempts: load(ATTEMPTS).await.into_iter().map(attempt).collect(),
        events: load(EVENTS).await.into_iter().map(event).collect(),
        queues: load(QUEUES).await.into_iter().map(queue).collect(),
        lanes: load(LANES).await.into_iter().map(lane).collect(),
    }
}

fn with_ids(sql: &str, before: &str, after: &str) -> String {
    sql.replace("{id(", before).replace(")}", after)
}

fn call(row: Row) -> CallRow {
    CallRow {
        // SQLite's hex of NULL is the empty text.
        id: row.a.unwrap_or_default(),
        destination: row.b,
        queue_id: row.c.unwrap_or(0),
        batch_id: row.d,
        status: row.e.unwrap_or(0),
        outcome: row.f,
        attempts: row.g.unwrap_or(0),
        max_retries: row.h.unwrap_or(0),
    }
}

fn attempt(row: Row) -> AttemptRow {
    let both = row.b.unwrap_or_default();
    let (call_id, channel_id) = both.split_once(' ').expect("a call's id and a channel's");
    AttemptRow {
        id: row.a.unwrap_or_default(),
        call_id: call_id.to_owned(),
        channel_id: channel_id.to_owned(),
        number: row.c.unwrap_or(0),
        ended: row.d.is_some(),
        outcome: row.e,
    }
}

fn event(row: Row) -> EventRow {
    EventRow {
        call_id: row.a.filter(|id| !id.is_empty()),
        seq: row.c.unwrap_or(0),
        kind: row.d.unwrap_or(0),
        attempt: row.e,
        status: row.f,
        outcome: row.g,
        batch_id: row.h,
    }
}

fn queue(row: Row) -> QueueRow {
    let mut counts = [0; 10];
    for (count, text) in counts.iter_mut().zip(row.b.unwrap_or_default().split(' ')) {
        *count = text.parse().expect("a counter");
    }
    QueueRow { id: row.c.unwrap_or(0), total: row.d.unwrap_or(0), counts }
}

fn lane(row: Row) -> LaneRow {
    LaneRow { queue_id: row.c.unwrap_or(0), waiting: row.d.unwrap_or(0), live: row.e.unwrap_or(0) }
}
