//! Statistics of calls by minute and by hour, which one node counts from the event log.
//!
//! The counts and the number of the last event that was counted are committed together, so that each event counts once,
//! whichever node counts it and whatever happens in between.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
use diesel_async::RunQueryDsl;

use super::bulk::{self, row};
use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::schema::{attempts, calls, queue_lanes, queues, statistics_cursor};
use super::types::Id;
use crate::domain::ids::CallId;
use crate::domain::originate::OriginateSpec;
use crate::domain::statistics::{Counts, Key};
use crate::domain::status::QueueKind;
use crate::domain::time::Millis;

/// How long a node that counts may be silent before another one takes over, in milliseconds.
const SILENT: i64 = 5000;

/// The id of the only row of the cursor.
const CURSOR: i32 = 1;

/// Minutes in an hour.
const HOUR: i64 = 60;

/// The cause of a row without one.
const NO_CAUSE: i16 = -1;

/// What is known of a call besides its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The queue; 0 for the queue of a quick call.
    pub queue_id: i64,
    /// The server that places the call.
    pub server: String,
    /// The project; empty if there is none.
    pub project: String,
    /// The channel that is dialed.
    pub channel: String,
    /// The billable seconds of the last attempt.
    pub billable_seconds: i64,
}

/// What is known of an attempt besides its events.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct AttemptFacts {
    pub call: Id,
    /// The number of the attempt, from 1.
    pub number: i32,
    pub server: String,
    pub started_at: i64,
    pub ringing_at: Option<i64>,
    pub answered_at: Option<i64>,
}

/// The live calls of a queue on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    pub client_id: i64,
    /// The queue; 0 for the queue of a quick call.
    pub queue_id: i64,
    pub server: String,
    /// How many calls are live.
    pub live: i64,
    /// How many calls wait, also for a further attempt.
    pub waiting: i64,
}

/// By what the calls of statistics are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Nothing,
    Queue,
    Server,
    Trunk,
    Client,
    Project,
    Outcome,
    HangupCause,
}

/// Which calls are counted. A field that is None does not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub client_id: Option<i64>,
    pub queue_id: Option<i64>,
    pub server: Option<String>,
    pub trunk: Option<String>,
    pub project: Option<String>,
    /// The code of an outcome; what has begun and not ended has none.
    pub outcome: Option<i16>,
}

/// A period, in minutes since 1970: from the first up to but not including the second, in steps of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub from: i64,
    pub to: i64,
    pub step: i64,
}

/// The counts of a group in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The minute with which the step begins.
    pub minute: i64,
    /// What the calls have in common: a number, or a text.
    pub group: (i64, String),
    pub counts: Counts,
}

/// The largest number of live calls of a group in one step.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Peak {
    /// The minute with which the step begins.
    #[diesel(sql_type = BigInt)]
    pub minute: i64,
    #[diesel(sql_type = BigInt)]
    pub client_id: i64,
    #[diesel(sql_type = BigInt)]
    pub queue_id: i64,
    #[diesel(sql_type = Text)]
    pub server: String,
    #[diesel(sql_type = BigInt)]
    pub peak: i64,
}

/// What a peak is the largest number of: the calls of a client, a queue and a server, each of which may be left out.
pub type Level = (i64, i64, String);

/// The columns that are added up, and of which each has the same name in the row.
macro_rules! summed {
    ($then:ident) => {
        $then! {
            calls attempts ended_attempts answered ended_calls billable_seconds delays_0 delays_1 delays_2 delays_3
            delays_4 delays_5 delays_6 delays_7 delays_8 delays_9 delays_10 delays_11
        }
    };
}

macro_rules! rows {
    ($($column:ident)*) => {
        row! {
            struct CountRow {
                at: i64 = BigInt,
                client_id: i64 = BigInt,
                queue_id: i64 = BigInt,
                server_code: String = Text,
                trunk: String = Text,
                project: String = Text,
                outcome: i16 = SmallInt,
                hangup_cause: i16 = SmallInt,
                $($column: i64 = BigInt),*
            }
        }

        /// The columns in SQL.
        const SUMMED: &[&str] = &[$(stringify!($column)),*];

        #[derive(QueryableByName)]
        struct PointRow {
            #[diesel(sql_type = BigInt)]
            minute: i64,
            #[diesel(sql_type = BigInt)]
            number: i64,
            #[diesel(sql_type = Text)]
            name: String,
            $(
                #[diesel(sql_type = BigInt)]
                $column: i64,
            )*
        }
    };
}
summed!(rows);

row! {
    struct PeakRow {
        minute: i64 = BigInt,
        client_id: i64 = BigInt,
        queue_id: i64 = BigInt,
        server_code: String = Text,
        peak: i64 = BigInt,
    }
}

const KEEP_LARGEST: &str = "INSERT INTO live_minutes (minute, client_id, queue_id, server_code, peak) \
     SELECT minute, client_id, queue_id, server_code, peak FROM {rows} AS u WHERE true \
     ON CONFLICT (minute, client_id, queue_id, server_code) DO UPDATE SET \
     peak = CASE WHEN excluded.peak > live_minutes.peak THEN excluded.peak ELSE live_minutes.peak END";

/// Returns the number of the last event that was counted if `node` is the one that counts: it was the last to do so, or
/// the last has been silent.
pub async fn take(tx: &mut Tx, node: &str, now: Millis) -> Result<Option<i64>> {
    let is_free = statistics_cursor::node.eq(node).or(statistics_cursor::seen_at.lt(now.0 - SILENT));
    Ok(with_conn!(&mut **tx, |c| {
        diesel::update(statistics_cursor::table.find(CURSOR).filter(is_free))
            .set((statistics_cursor::node.eq(node), statistics_cursor::seen_at.eq(now.0)))
            .returning(statistics_cursor::seq)
            .get_result(c)
            .await
            .optional()
    })?)
}

/// Returns the number of the last event that was counted.
pub async fn cursor(conn: &mut Conn) -> Result<i64> {
    Ok(with_conn!(conn, |c| statistics_cursor::table.find(CURSOR).select(statistics_cursor::seq).first(c).await)?)
}

/// Moves the cursor on. Returns false if another node has done so meanwhile; then nothing must be counted.
pub async fn advance(tx: &mut Tx, from: i64, to: i64) -> Result<bool> {
    let moved = with_conn!(&mut **tx, |c| {
        diesel::update(statistics_cursor::table.find(CURSOR).filter(statistics_cursor::seq.eq(from)))
            .set(statistics_cursor::seq.eq(to))
            .execute(c)
            .await
    })?;
    Ok(moved == 1)
}

/// Reads what is known of these calls.
pub async fn facts(conn: &mut Conn, ids: &[Id]) -> Result<HashMap<CallId, Facts>> {
    type Row = (Id, i64, i16, String, Option<String>, String, Option<i32>);
    let rows: Vec<Row> = with_conn!(conn, |c| {
        calls::table
            .inner_join(queues::table)
            .filter(calls::id.eq_any(ids))
            .select((
                calls::id,
                calls::queue_id,
                queues::kind,
                calls::server_code,
                calls::project,
                calls::spec,
                calls::billable_seconds,
            ))
            .load(c)
            .await
    })?;
    rows.into_iter()
        .map(|(id, queue_id, kind, server, project, spec, billable_seconds)| {
            let spec: OriginateSpec = serde_json::from_str(&spec)?;
            let facts = Facts {
                queue_id: of_kind(queue_id, kind),
                server,
                project: project.unwrap_or_default(),
                channel: spec.channel,
                billable_seconds: billable_seconds.unwrap_or(0).into(),
            };
            Ok((id.into(), facts))
        })
        .collect()
}

fn of_kind(queue_id: i64, kind: i16) -> i64 {
    if kind == QueueKind::Quick.code() { 0 } else { queue_id }
}

/// Reads all attempts of these calls.
pub async fn attempts(conn: &mut Conn, ids: &[Id]) -> Result<Vec<AttemptFacts>> {
    Ok(with_conn!(conn, |c| {
        attempts::table
            .filter(attempts::call_id.eq_any(ids))
            .select((
                attempts::call_id,
                attempts::number,
                attempts::server_code,
                attempts::started_at,
                attempts::ringing_at,
                attempts::answered_at,
            ))
            .load(c)
            .await
    })?)
}

/// Adds counts to those of their minutes and of the hours that these are in.
pub async fn add(tx: &mut Tx, counts: &BTreeMap<(i64, Key), Counts>) -> Result<()> {
    let minutes: Vec<CountRow> = counts.iter().map(|((minute, key), counts)| row(*minute, key, counts)).collect();
    let mut of_hours: BTreeMap<(i64, &Key), Counts> = BTreeMap::new();
    for ((minute, key), counts) in counts {
        of_hours.entry((minute.div_euclid(HOUR), key)).or_default().add(counts);
    }
    let hours: Vec<CountRow> = of_hours.iter().map(|((hour, key), counts)| row(*hour, key, counts)).collect();
    bulk::execute(tx, &adding("call_minutes", "minute"), CountRow::COLUMNS, &minutes).await?;
    bulk::execute(tx, &adding("call_hours", "hour"), CountRow::COLUMNS, &hours).await
}

/// Returns the statement that adds rows to a table.
fn adding(table: &str, at: &str) -> String {
    let keys = "client_id, queue_id, server_code, trunk, project, outcome, hangup_cause";
    let names = SUMMED.join(", ");
    let sums: Vec<String> = SUMMED.iter().map(|name| format!("{name} = {table}.{name} + excluded.{name}")).collect();
    format!(
        "INSERT INTO {table} ({at}, {keys}, {names}) SELECT at, {keys}, {names} FROM {{rows}} AS u WHERE true \
         ON CONFLICT ({at}, {keys}) DO UPDATE SET {}",
        sums.join(", ")
    )
}

fn row(at: i64, key: &Key, counts: &Counts) -> CountRow {
    let [
        delays_0,
        delays_1,
        delays_2,
        delays_3,
        delays_4,
        delays_5,
        delays_6,
        delays_7,
        delays_8,
        delays_9,
        delays_10,
        delays_11,
    ] = counts.delays;
    CountRow {
        at,
        client_id: key.client_id,
        queue_id: key.queue_id,
        server_code: key.server.clone(),
        trunk: key.trunk.clone(),
        project: key.project.clone(),
        outcome: key.outcome.map_or(0, crate::domain::status::Outcome::code),
        hangup_cause: key.hangup_cause.map_or(NO_CAUSE, i16::from),
        calls: counts.calls,
        attempts: counts.attempts,
        ended_attempts: counts.ended_attempts,
        answered: counts.answered,
        ended_calls: counts.ended_calls,
        billable_seconds: counts.billable_seconds,
        delays_0,
        delays_1,
        delays_2,
        delays_3,
        delays_4,
        delays_5,
        delays_6,
        delays_7,
        delays_8,
        delays_9,
        delays_10,
        delays_11,
    }
}

/// Reads how many calls are live and wait, for each queue and server that has any.
pub async fn live(conn: &mut Conn) -> Result<Vec<Live>> {
    type Row = (i64, i64, i16, String, i64, i64);
    // Two statements, because each has an index of its own for the few rows that it needs.
    let read = || {
        queue_lanes::table.inner_join(queues::table).select((
            queues::client_id,
            queues::id,
            queues::kind,
            queue_lanes::server_code,
            queue_lanes::live,
            queue_lanes::waiting,
        ))
    };
    let mut rows: Vec<Row> = with_conn!(conn, |c| read().filter(queue_lanes::live.gt(0)).load(c).await)?;
    let waiting: Vec<Row> = with_conn!(conn, |c| {
        read().filter(queue_lanes::waiting.gt(0)).filter(queue_lanes::live.eq(0)).load(c).await
    })?;
    rows.extend(waiting);
    Ok(rows
        .into_iter()
        .map(|(client_id, queue_id, kind, server, live, waiting)| Live {
            client_id,
            queue_id: of_kind(queue_id, kind),
            server,
            live,
            waiting,
        })
        .collect())
}

/// Notes how many calls were live at one time in a minute, if they were more than before.
pub async fn note_peaks(tx: &mut Tx, minute: i64, peaks: &HashMap<Level, i64>) -> Result<()> {
    let row = |((client_id, queue_id, server), peak): (&Level, &i64)| PeakRow {
        minute,
        client_id: *client_id,
        queue_id: *queue_id,
        server_code: server.clone(),
        peak: *peak,
    };
    let rows: Vec<PeakRow> = peaks.iter().map(row).collect();
    bulk::execute(tx, KEEP_LARGEST, PeakRow::COLUMNS, &rows).await
}

/// Reads the counts of a period, grouped, with the steps that have any.
pub async fn read(conn: &mut Conn, period: Period, filter: &Filter, by: By) -> Result<Vec<Point>> {
    // Whole hours are read from the table of hours, which has fewer rows.
    let is_of_hours = period.step % HOUR == 0 && period.from % HOUR == 0 && period.to % HOUR == 0;
    let (table, at, unit) = if is_of_hours { ("call_hours", "hour", HOUR) } else { ("call_minutes", "minute", 1) };
    let (number, name) = match by {
        By::Nothing => ("CAST(0 AS BIGINT)", "''"),
        By::Queue => ("queue_id", "''"),
        By::Server => ("CAST(0 AS BIGINT)", "server_code"),
        By::Trunk => ("CAST(0 AS BIGINT)", "trunk"),
        By::Client => ("client_id", "''"),
        By::Project => ("CAST(0 AS BIGINT)", "project"),
        By::Outcome => ("CAST(outcome AS BIGINT)", "''"),
        By::HangupCause => ("CAST(hangup_cause AS BIGINT)", "''"),
    };
    let sums: Vec<String> = SUMMED.iter().map(|column| format!("CAST(SUM({column}) AS BIGINT) AS {column}")).collect();
    // Written out, so that the planner sees that the index of a client's rows fits.
    let client = if filter.client_id.is_some() { "client_id = $4" } else { "$4 IS NULL" };
    // Each step begins at the start of the period, and not at a multiple of its length. SQLite numbers parameters in the
    // order in which they first occur.
    let text = format!(
        "SELECT $1 + ({at} - $1) / $2 * $2 AS minute, {number} AS number, {name} AS name, {} FROM {table} \
         WHERE {at} >= $1 AND {at} < $3 AND {client} AND ($5 IS NULL OR queue_id = $5) \
         AND ($6 IS NULL OR server_code = $6) AND ($7 IS NULL OR trunk = $7) AND ($8 IS NULL OR project = $8) \
         AND ($9 IS NULL OR outcome = $9) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        sums.join(", ")
    );
    let query = diesel::sql_query(text)
        .bind::<BigInt, _>(period.from / unit)
        .bind::<BigInt, _>((period.step / unit).max(1))
        .bind::<BigInt, _>(period.to / unit)
        .bind::<Nullable<BigInt>, _>(filter.client_id)
        .bind::<Nullable<BigInt>, _>(filter.queue_id)
        .bind::<Nullable<Text>, _>(filter.server.clone())
        .bind::<Nullable<Text>, _>(filter.trunk.clone())
        .bind::<Nullable<Text>, _>(filter.project.clone())
        .bind::<Nullable<SmallInt>, _>(filter.outcome);
    let rows: Vec<PointRow> = with_conn!(conn, |c| query.load(c).await)?;
    Ok(rows.into_iter().map(|row| row.into_point(unit)).collect())
}

impl PointRow {
    fn into_point(self, unit: i64) -> Point {
        let counts = Counts {
            calls: self.calls,
            attempts: self.attempts,
            ended_attempts: self.ended_attempts,
            answered: self.answered,
            ended_calls: self.ended_calls,
            billable_seconds: self.billable_seconds,
            delays: [
                self.delays_0,
                self.delays_1,
                self.delays_2,
                self.delays_3,
                self.delays_4,
                self.delays_5,
                self.delays_6,
                self.delays_7,
                self.delays_8,
                self.delays_9,
                self.delays_10,
                self.delays_11,
            ],
        };
        Point { minute: self.minute * unit, group: (self.number, self.name), counts }
    }
}

/// Reads the peaks of a period, by the levels that they are of. A client, a queue and a server of 0 or an empty text is all
/// of them together; None reads those of every one.
pub async fn peaks(
    conn: &mut Conn,
    period: Period,
    (client_id, queue_id, server): (Option<i64>, Option<i64>, Option<String>),
) -> Result<Vec<Peak>> {
    let text = "SELECT $1 + (minute - $1) / $2 * $2 AS minute, client_id, queue_id, server_code AS server, \
         CAST(MAX(peak) AS BIGINT) AS peak FROM live_minutes WHERE minute >= $1 AND minute < $3 \
         AND ($4 IS NULL OR client_id = $4) AND ($5 IS NULL OR queue_id = $5) AND ($6 IS NULL OR server_code = $6) \
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4";
    let query = diesel::sql_query(text)
        .bind::<BigInt, _>(period.from)
        .bind::<BigInt, _>(period.step)
        .bind::<BigInt, _>(period.to)
        .bind::<Nullable<BigInt>, _>(client_id)
        .bind::<Nullable<BigInt>, _>(queue_id)
        .bind::<Nullable<Text>, _>(server);
    Ok(with_conn!(conn, |c| query.load(c).await)?)
}
