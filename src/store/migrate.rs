//! Brings the tables to the schema that this version needs, guarded against two nodes that start at once.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use diesel::sql_types::BigInt;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncConnection, AsyncMigrationHarness, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

use super::db::{Conn, Db, Engine};
use super::error::{Result, StoreError};
use super::postgres::MIGRATION_LOCK;
use super::{audit, postgres, sqlite};

/// Applies the pending migrations and returns how many there were.
pub async fn run(db: &Db) -> Result<usize> {
    let applied = match &db.engine {
        Engine::Sqlite { writer, path, .. } => {
            // The lock is held until the migrations are applied. Another process waits here and then finds nothing to do.
            let _only_one = lock_beside(path).await?;
            let conn = writer.get().await?;
            harness(Object::take(conn), sqlite::MIGRATIONS, |harness, migrations| {
                harness.run_pending_migrations(migrations).map(|run| run.len())
            })
            .await
        }
        Engine::Postgres { pool, .. } => {
            let mut conn = pool.get().await?;
            diesel::sql_query("SELECT pg_advisory_lock($1)")
                .bind::<BigInt, _>(MIGRATION_LOCK)
                .execute(&mut *conn)
                .await?;
            // The lock ends with the connection, which is closed after the migrations.
            harness(Object::take(conn), postgres::MIGRATIONS, |harness, migrations| {
                harness.run_pending_migrations(migrations).map(|run| run.len())
            })
            .await
        }
    }?;
    if applied > 0 {
        audit::cover_unchained(db).await?;
    }
    Ok(applied)
}

/// Locks a file beside the database. SQLite's own lock would let two processes both find the same work to do.
async fn lock_beside(database: &Path) -> Result<File> {
    let path = sqlite::beside(database, ".migrate-lock");
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).write(true).truncate(false).mode(0o600).open(path)?;
        file.lock()?;
        Ok::<_, std::io::Error>(file)
    });
    let failed = |error: &dyn std::fmt::Display| StoreError::Migration(format!("cannot lock the store: {error}"));
    locked.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}

/// Returns true if the store can be reached and has every migration.
pub async fn is_ready(db: &Db) -> Result<bool> {
    fn pending<C>(
        harness: &mut AsyncMigrationHarness<C>,
        migrations: EmbeddedMigrations,
    ) -> diesel::migration::Result<usize>
    where
        C: AsyncConnection,
        AsyncMigrationHarness<C>: MigrationHarness<C::Backend>,
        EmbeddedMigrations: diesel::migration::MigrationSource<C::Backend>,
    {
        harness.pending_migrations(migrations).map(|pending| pending.len())
    }
    let pending = match db.read().await? {
        Conn::Sqlite(conn) => harness(Object::take(conn), sqlite::MIGRATIONS, pending).await?,
        Conn::Postgres(conn) => harness(Object::take(conn), postgres::MIGRATIONS, pending).await?,
    };
    Ok(pending == 0)
}

/// Migrations are synchronous, so they run where blocking is allowed.
async fn harness<C, F>(conn: C, migrations: EmbeddedMigrations, run: F) -> Result<usize>
where
    C: AsyncConnection + 'static,
    F: FnOnce(&mut AsyncMigrationHarness<C>, EmbeddedMigrations) -> diesel::migration::Result<usize> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(move || {
        let mut harness = AsyncMigrationHarness::new(conn);
        run(&mut harness, migrations).map_err(|error| StoreError::Migration(error.to_string()))
    });
    done.await.map_err(|error| StoreError::Migration(error.to_string()))?
}
