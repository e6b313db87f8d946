//! Statements over many rows at once: the rows travel as one JSON parameter, so the number of statements of a commit
//! does not grow with its rows, on either engine.
//!
//! UUIDs travel as hexadecimal digits.

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Text, Untyped};
use diesel_async::RunQueryDsl;
use serde::{Serialize, Serializer};

use super::columns::Column;
use super::db::{Conn, with_conn};
use super::error::Result;
use super::types::{Id, Uuid};
use super::{postgres, sqlite};

/// A row with its columns: `row! { struct Name { column: Type = Kind, … } }` makes both from one list.
macro_rules! row {
    ($(#[$meta:meta])* struct $name:ident { $($column:ident: $type:ty = $kind:ident),* $(,)? }) => {
        $(#[$meta])*
        #[derive(serde::Serialize)]
        struct $name { $($column: $type),* }

        impl $name {
            const COLUMNS: &[$crate::store::columns::Column] = &[
                $($crate::store::columns::Column { name: stringify!($column), kind: $crate::store::columns::Kind::$kind }),*
            ];
        }
    };
}
pub(super) use row;

/// A UUID that is written as the hexadecimal digits which both engines read.
#[derive(Clone, Copy)]
pub struct Hex(pub uuid::Uuid);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_simple().encode_lower(&mut uuid::Uuid::encode_buffer()))
    }
}

#[derive(diesel::QueryableByName)]
struct IdRow {
    #[diesel(sql_type = Uuid)]
    id: Id,
}

/// A statement over the rows in its one parameter.
///
/// It differs from `diesel::sql_query` in that each connection prepares it only once, by its text: parsing these long
/// texts again for every commit cost as much as running them. So there must be few different texts: what varies is a
/// column of the rows, never a part of the text.
struct Statement {
    sql: String,
    json: String,
}

impl QueryId for Statement {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Statement {
    type SqlType = Untyped;
}

impl<DB: Backend + HasSqlType<Text>> QueryFragment<DB> for Statement
where
    String: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(&self.sql);
        out.push_bind_param_value_only::<Text, _>(&self.json)
    }
}

/// Returns the text of a statement, in which `{rows}` stands for the table of the rows.
fn sql(conn: &Conn, statement: &str, columns: &[Column]) -> String {
    let rows = match conn {
        Conn::Sqlite(_) => sqlite::rows(columns),
        Conn::Postgres(_) => postgres::rows(columns),
    };
    statement.replace("{rows}", &rows)
}

/// Inserts all `rows` into `table`, whose columns have the names of the rows' columns.
pub async fn insert<R: Serialize>(conn: &mut Conn, table: &str, columns: &[Column], rows: &[R]) -> Result<()> {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let names = names.join(", ");
    // `WHERE true` keeps SQLite's parser from reading a later ON as part of a join.
    let statement = format!("INSERT INTO {table} ({names}) SELECT {names} FROM {{rows}} AS u WHERE true");
    execute(conn, &statement, columns, rows).await
}

/// Runs `statement` once for all `rows`, which replace `{rows}` in it.
pub async fn execute<R: Serialize>(conn: &mut Conn, statement: &str, columns: &[Column], rows: &[R]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let statement = Statement { sql: sql(conn, statement, columns), json: serde_json::to_string(rows)? };
    with_conn!(conn, |c| statement.execute(c).await)?;
    Ok(())
}

/// Runs `statement`, which ends in `RETURNING … AS id` or selects ids, and returns the ids of the rows that it changed
/// or found.
pub async fn execute_returning<R: Serialize>(
    conn: &mut Conn,
    statement: &str,
    columns: &[Column],
    rows: &[R],
) -> Result<Vec<uuid::Uuid>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let statement = Statement { sql: sql(conn, statement, columns), json: serde_json::to_string(rows)? };
    let ids: Vec<IdRow> = with_conn!(conn, |c| statement.load(c).await)?;
    Ok(ids.into_iter().map(|row| row.id.0).collect())
}
