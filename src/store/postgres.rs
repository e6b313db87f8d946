//! What is specific to PostgreSQL: opening it, rows as one parameter, locks and notifications.

use std::time::Duration;

use deadpool::Runtime;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::columns::{Column, Kind};
use super::db::{Db, Engine};
use super::error::{Result, StoreError};

/// The migrations of PostgreSQL.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The advisory lock under which `call_events.seq` is taken, so that rows become visible in the order of `seq`.
pub const SEQ_LOCK: i64 = 0x7472_756e_6b01;

/// The advisory lock that keeps two nodes from migrating at once.
pub const MIGRATION_LOCK: i64 = 0x7472_756e_6b02;

/// The advisory lock that claims share, and that a change of a rule takes exclusively (see `rule_lock`).
pub const RULES_LOCK: i64 = 0x7472_756e_6b03;

/// The channel on which a commit tells other nodes that there are new events. Notifications can be lost, so listeners
/// also poll slowly.
pub const EVENTS_CHANNEL: &str = "trunkline_events";

/// How many connections a node holds at most.
const CONNECTIONS: usize = 16;

/// How soon a silent server is given up, as parameters of its URL, in seconds. After a fail-over, the old server may
/// never send anything, not even a reset, and TCP would wait for hours by default.
const GIVEN_UP: [(&str, u32); 5] = [
    // Less than the pool's own timeout, so that a second host of the URL is tried.
    ("connect_timeout", 2),
    ("tcp_user_timeout", 10),
    ("keepalives_idle", 10),
    ("keepalives_interval", 5),
    ("keepalives_retries", 2),
];

/// Opens the server that `url` names.
pub fn open(url: &str) -> Result<Db> {
    let url = &watchful(url);
    let mut config = ManagerConfig::<AsyncPgConnection>::default();
    // A broken connection is noticed when it is used next; checking before each use would double the round trips.
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

/// Adds to the URL those parameters of [`GIVEN_UP`] that it does not set itself.
fn watchful(url: &str) -> String {
    // The password may contain any character.
    let after_password = url.find('@').map_or(0, |at| at + 1);
    let query = url[after_password..].split_once('?').map(|(_, query)| query);
    let sets = |name: &str| query.is_some_and(|query| query.split('&').any(|one| one.split('=').next() == Some(name)));
    let missing: Vec<String> =
        GIVEN_UP.iter().filter(|(name, _)| !sets(name)).map(|(name, value)| format!("{name}={value}")).collect();
    match (missing.is_empty(), query) {
        (true, _) => url.to_owned(),
        (false, None) => format!("{url}?{}", missing.join("&")),
        (false, Some(_)) => format!("{url}&{}", missing.join("&")),
    }
}

/// Returns the rows of the JSON array in parameter 1 as a table expression.
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
            Kind::Text => "text",
        };
        typed.push(format!("{name} {sql_type}"));
        selected.push(*name);
    }
    format!("(SELECT {} FROM json_to_recordset($1::json) AS r({}))", selected.join(", "), typed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::watchful;

    const ALL: &str =
        "connect_timeout=2&tcp_user_timeout=10&keepalives_idle=10&keepalives_interval=5&keepalives_retries=2";

    #[test]
    fn a_silent_server_is_given_up_by_parameters_of_its_url() {
        assert_eq!(watchful("postgres://u@h:1/d"), format!("postgres://u@h:1/d?{ALL}"));
        assert_eq!(watchful("postgres://u:a?b@h/d"), format!("postgres://u:a?b@h/d?{ALL}"));
        assert_eq!(watchful("postgres://h/d?application_name=x"), format!("postgres://h/d?application_name=x&{ALL}"));
    }

    #[test]
    fn what_a_url_sets_itself_wins() {
        let own = "postgres://h/d?tcp_user_timeout=3&connect_timeout=30";
        assert_eq!(watchful(own), format!("{own}&keepalives_idle=10&keepalives_interval=5&keepalives_retries=2"));
        let own = format!("postgres://h/d?{ALL}");
        assert_eq!(watchful(&own), own);
    }
}
