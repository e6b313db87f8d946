//! The store: everything that must outlive the process, in SQLite or PostgreSQL.
//!
//! There is one file for each noun. Queries are written once for both engines ([`db`]); the differences are in
//! [`sqlite`] and [`postgres`]. Functions that read or write what belongs to a client take the client's id.

pub mod admin_keys;
pub mod audit;
pub mod batches;
pub mod blocking;
pub mod brakes;
pub mod bulk;
pub mod call_edits;
pub mod call_lists;
pub mod call_pages;
pub mod call_search;
pub mod call_terms;
pub mod calls;
pub mod client_days;
pub mod client_terms;
pub mod clients;
mod columns;
pub mod commands;
pub mod counters;
pub mod db;
pub mod dead_letters;
pub mod destinations;
pub mod do_not_call;
pub mod error;
pub mod events;
pub mod id_range;
pub mod journal;
pub mod keys;
pub mod lanes;
pub mod leases;
pub mod live_calls;
pub mod migrate;
pub mod new_queues;
pub mod nodes;
pub mod notes;
pub mod page_start;
pub mod postgres;
mod queue_labels;
pub mod queue_rules;
pub mod queues;
pub mod recording_files;
pub mod refusals;
pub mod retries;
pub mod retry_calls;
mod rule_lock;
pub mod schema;
pub mod sealed;
pub mod secrets;
pub mod servers;
pub mod settings;
pub mod sqlite;
pub mod statistics;
mod status_sql;
pub mod streams;
pub mod types;
pub mod wait_reasons;
pub mod waiting;
pub mod wal;
pub mod webhooks;

use std::path::Path;

pub use db::{Conn, Db, Tx};
pub use error::{Result, StoreError};

/// Opens the store that `url` names: `sqlite://PATH` or `postgres://…`. An SQLite file is created if it does not exist.
pub fn open(url: &str) -> Result<Db> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        return sqlite::open(Path::new(path));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return postgres::open(url);
    }
    Err(StoreError::UnknownUrl)
}
