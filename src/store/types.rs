//! SQL types that the two engines spell differently.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{SqlType, Text};
use diesel::sqlite::{Sqlite, SqliteValue};

use crate::domain::event_facts::EventFacts;
use crate::domain::ids::{AttemptId, CallId};

/// A UUID: a type of its own in PostgreSQL, a BLOB of 16 bytes in SQLite.
#[derive(Clone, Copy, Debug, SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951), sqlite_type(name = "Binary"))]
pub struct Uuid;

/// The value of an id column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Uuid)]
pub struct Id(pub uuid::Uuid);

impl ToSql<Uuid, Pg> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        use std::io::Write;
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl ToSql<Uuid, Sqlite> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_bytes().as_slice());
        Ok(IsNull::No)
    }
}

impl FromSql<Uuid, Pg> for Id {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(uuid::Uuid::from_slice(value.as_bytes())?))
    }
}

impl FromSql<Uuid, Sqlite> for Id {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(uuid::Uuid::from_slice(value.read_blob())?))
    }
}

/// The value of a column with the facts of an event, as JSON.
#[derive(Clone, Debug, FromSqlRow)]
pub struct Facts(pub Box<EventFacts>);

impl<DB: Backend> FromSql<Text, DB> for Facts
where
    String: FromSql<Text, DB>,
{
    fn from_sql(value: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(Box::new(serde_json::from_str(&<String as FromSql<Text, DB>>::from_sql(value)?)?)))
    }
}

impl From<CallId> for Id {
    fn from(id: CallId) -> Self {
        Self(id.0)
    }
}

impl From<AttemptId> for Id {
    fn from(id: AttemptId) -> Self {
        Self(id.0)
    }
}

impl From<Id> for CallId {
    fn from(id: Id) -> Self {
        Self(id.0)
    }
}

impl From<Id> for AttemptId {
    fn from(id: Id) -> Self {
        Self(id.0)
    }
}
