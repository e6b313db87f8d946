//! Checks the query plan of every statement that a test of this suite sends to SQLite: none may read more rows the more
//! calls there are. SQLite plans without statistics, so that an empty file gives the same plans as one with millions.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use diesel::connection::{Instrumentation, InstrumentationEvent, SimpleConnection, set_default_instrumentation};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::MigrationHarness;
use trunkline::store::sqlite::MIGRATIONS;

/// The statements that were sent so far, without their values.
static SENT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The tables that grow with the calls and must therefore not be scanned.
const GROWING: [&str; 9] = [
    "attempts",
    "batches",
    "call_events",
    "call_terms",
    "calls",
    "destination_days",
    "queue_labels",
    "queue_lanes",
    "queues",
];

/// Partial indexes that may be scanned, because they are small or read rarely.
const FEW: [&str; 5] =
    ["attempts_live", "queue_lanes_with_work", "queue_lanes_live", "calls_of_another_day", "calls_braked"];

/// A statement that is sent only when a server is removed.
const RARE: &str = "WHERE (`queue_lanes`.`server_code` = ?) LIMIT ?";

/// The first words of statements that have a plan.
const VERBS: [&str; 5] = ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE"];

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// Keeps all statements that are sent from now on.
pub fn note() {
    set_default_instrumentation(|| Some(Box::new(Note))).expect("an instrumentation");
}

struct Note;

impl Instrumentation for Note {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            let text = query.to_string();
            let sql = text.split(" -- binds").next().unwrap_or_default();
            SENT.lock().unwrap_or_else(PoisonError::into_inner).insert(sql.to_owned());
        }
    }
}

/// Fails if one of the statements scans a table that grows.
pub fn check() {
    let sent = SENT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut store = SqliteConnection::establish(":memory:").expect("a store");
    store.run_pending_migrations(MIGRATIONS).expect("migrations");
    store.batch_execute("PRAGMA foreign_keys = ON").expect("a setting");
    let mut slow = Vec::new();
    for sql in sent.iter().filter(|sql| VERBS.iter().any(|verb| sql.starts_with(verb))) {
        // An empty list is written as a condition that is never true, so that no row is read.
        if sql.contains("(1=0)") || sql.contains(RARE) {
            continue;
        }
        let plan: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(&mut store).expect("a plan");
        slow.extend(
            plan.iter().filter(|step| grows(&step.detail)).map(|step| format!("{}\n    in {sql}", step.detail)),
        );
    }
    assert!(slow.is_empty(), "these statements read more rows the more calls there are:\n{}", slow.join("\n"));
}

fn grows(step: &str) -> bool {
    let words: Vec<&str> = step.split(' ').collect();
    let goes_through = match words[..] {
        ["SCAN", table, ..] => GROWING.contains(&table),
        // This reads all calls that wait for a server.
        ["SEARCH", "calls", .., "(server_code=?)"] => true,
        _ => false,
    };
    goes_through && !words.iter().any(|word| FEW.contains(word))
}

#[test]
fn going_through_what_grows_is_seen() {
    assert!(grows("SCAN calls"));
    assert!(grows("SCAN queues USING INDEX queues_by_number"));
    assert!(grows("SEARCH calls USING INDEX calls_waiting (server_code=?)"));
    assert!(!grows("SEARCH calls USING INDEX calls_waiting (server_code=? AND queue_id=?)"));
    assert!(!grows("SCAN attempts USING INDEX attempts_live"));
    assert!(!grows("SCAN servers"));
}
