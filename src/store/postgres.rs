//! What is PostgreSQL's own: how it is opened, how rows travel as one parameter, locks and notifications.

use std::time::Duration;

use deadpool::Runtime;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::bulk::{Column, Kind};
use super::db::{Db, Engine};
use super::error::{Result, StoreError};

/// The migrations of this engine.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The advisory lock under which `call_events.seq` is taken, so that rows become visible in the order of `seq`.
pub const SEQ_LOCK: i64 = 0x7472_756e_6b01;

/// The advisory lock that keeps two nodes from migrating at once.
pub const MIGRATION_LOCK: i64 = 0x7472_756e_6b02;

/// The advisory lock that claims share, and a change of what they are held against takes alone (`rule_lock`).
pub const RULES_LOCK: i64 = 0x7472_756e_6b03;

/// The channel on which a commit tells other nodes that there are new events. Notifications can be lost, so
/// listeners also poll slowly.
pub const EVENTS_CHANNEL: &str = "trunkline_events";

/// Connections a node holds at most.
const CONNECTIONS: usize = 16;

/// Opens the server that `url` names.
pub fn open(url: &str) -> Result<Db> {
    let mut config = ManagerConfig::<AsyncPgConnection>::default();
    // A broken connection shows at its next use; asking before each use would double the round trips.
    config.recycling_method = RecyclingMethod::Fast;
    let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new_with_config(url, config);
    let pool = Pool::builder(manager)
        .max_size(CONNECTIONS)
        .wait_timeout(Some(Duration::from_secs(5)))
        .create_timeout(Some(Duration::from_secs(5)))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(Db::new(Engine::Postgres { pool, url: url.to_owned() }))
}

/// The rows of a JSON array in parameter 1, as a table expression.
#[must_use]
pub fn rows(columns: &[Column]) -> String {
    let (mut typed, mut selected) = (Vec::new(), Vec::new());
    for Column { name, kind } in columns {
        let sql_type = match kind {
            Kind::Uuid => "uuid",
            Kind::BigInt => "bigint",
            Kind::Integer => "integer",
            Kind::SmallInt => "smallint",
            Kind::Bool => "boolean",
            Kind::Text | Kind::Bytes => "text",
        };
        typed.push(format!("{name} {sql_type}"));
        selected.push(match kind {
            Kind::Bytes => format!("decode({name}, 'hex') AS {name}"),
            _ => (*name).to_owned(),
        });
    }
    format!("(SELECT {} FROM json_to_recordset($1::json) AS r({}))", selected.join(", "), typed.join(", "))
}
