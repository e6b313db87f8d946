//! Every statement that a test of this suite sends to SQLite is held to its plan: none may look at more rows the more
//! calls there are. SQLite plans without statistics, so what holds for an empty file holds for one of many millions.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use diesel::connection::{Instrumentation, InstrumentationEvent, SimpleConnection, set_default_instrumentation};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_migrations::MigrationHarness;
use trunkline::store::sqlite::MIGRATIONS;

/// What was sent so far, without the values.
static SENT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Tables that grow with the calls, and so are never gone through.
const GROWING: [&str; 7] = ["attempts", "batches", "call_events", "calls", "destination_days", "queue_lanes", "queues"];

/// Partial indexes of what is never much, or is asked for rarely.
const FEW: [&str; 4] = ["attempts_live", "queue_lanes_with_work", "queue_lanes_live", "calls_of_another_day"];

/// Asked once, when a server is removed.
const RARE: &str = "WHERE (`queue_lanes`.`server_code` = ?) LIMIT ?";

/// What can be planned begins with one of these.
const VERBS: [&str; 5] = ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE"];

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// Notes what is sent from here on.
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

/// Fails where a statement that was noted goes through a table that grows.
pub fn check() {
    let sent = SENT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut store = SqliteConnection::establish(":memory:").expect("a store");
    store.run_pending_migrations(MIGRATIONS).expect("migrations");
    store.batch_execute("PRAGMA foreign_keys = ON").expect("a setting");
    let mut slow = Vec::new();
    for sql in sent.iter().filter(|sql| VERBS.iter().any(|verb| sql.starts_with(verb))) {
        // A list that is empty is written as what is never true, and nothing is looked at.
        if sql.contains("(1=0)") || sql.contains(RARE) {
            continue;
        }
        let plan: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(&mut store).expect("a plan");
        slow.extend(
            plan.iter().filter(|step| grows(&step.detail)).map(|step| format!("{}\n    in {sql}", step.detail)),
        );
    }
    assert!(slow.is_empty(), "these look at more rows the more calls there are:\n{}", slow.join("\n"));
}

fn grows(step: &str) -> bool {
    let words: Vec<&str> = step.split(' ').collect();
    let goes_through = match words[..] {
        ["SCAN", table, ..] => GROWING.contains(&table),
        // All that waits for a server.
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
