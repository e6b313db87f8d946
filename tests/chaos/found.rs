//! Faults that the chaos test has found, each in a test that is as small as possible.

use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use crate::checker;
use crate::history::{History, Limits};
use crate::originates;
use crate::support::wait;
use crate::target::Kind;
use crate::world::{Engine, World};

/// Another session's transaction that locks a table until it is dropped.
struct TableLock {
    _session: AsyncPgConnection,
    /// A second session, because within a transaction PostgreSQL always shows the same activity.
    observer: AsyncPgConnection,
}

impl TableLock {
    async fn take(url: &str, table: &str) -> Self {
        let mut session = AsyncPgConnection::establish(url).await.expect("the database");
        for statement in ["BEGIN".to_owned(), format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")] {
            diesel::sql_query(statement).execute(&mut session).await.expect("the lock");
        }
        Self { _session: session, observer: AsyncPgConnection::establish(url).await.expect("the database") }
    }

    /// Waits until a statement that begins with `statement` waits for the table.
    async fn until_waited_for(&mut self, statement: &str) {
        let waiting =
            format!("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '{statement}%'");
        wait::until_async(&format!("{statement} waits"), async || {
            let waits = diesel::sql_query(&waiting).execute(&mut self.observer).await.expect("an answer");
            (waits > 0).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_call_that_ends_before_the_lane_has_read_its_queues_is_tried_again_by_its_own_rule() {
    let Some(mut world) = World::start(Kind::Sandbox, Engine::Postgres) else { return };
    let (api, url) = (world.api(8, 20.0).await, world.database_url());
    let item = json!({
        "asterisk_server_code": "ast", "retry": 1,
        "action": {
            "Action": "Originate", "Channel": "Local/100@noanswer/n", "Application": "Wait", "Data": "1",
            "Timeout": 20_000,
        },
    });
    let queue = api.insert(1, vec![item]).await;
    api.put(&format!("queues/updatequeuemaster/{queue}"), json!({ "retry_gap": 0 })).await.data();
    wait::until_async("it rings", async || {
        let calls = api.calls(queue).await;
        (calls[0]["status"] == "ringing").then_some(())
    })
    .await;

    world.server.kill();
    // The lane reads its queues from this table, and the end of an attempt is counted in it.
    let mut lock = TableLock::take(&url, "queue_lanes").await;
    world.server.restart();
    lock.until_waited_for("INSERT INTO queue_lanes").await;
    drop(lock);
    wait::until_async("it is tried again", async || {
        let calls = api.calls(queue).await;
        (calls[0]["attempts"] == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_store_that_was_away_is_followed_by_no_burst() {
    const RATE: f64 = 10.0;
    let Some(world) = World::start(Kind::Sandbox, Engine::Postgres) else { return };
    let (api, url) = (world.api(30, RATE).await, world.database_url());
    let talk = world.target.destinations().into_iter().find(|to| to.name == "talk").expect("a destination");
    let mut lock = TableLock::take(&url, "attempts").await;
    let queue = api.insert(1, vec![crate::client::item(&talk); 20]).await;
    lock.until_waited_for("INSERT INTO attempts").await;
    let (away, turns) = (Instant::now(), Duration::from_secs_f64(20.0 / RATE));
    wait::until_async("it was the turn of 20 calls", async || (away.elapsed() >= turns).then_some(())).await;
    drop(lock);
    api.wait_until_completed(queue).await;

    let sent = originates::in_log(&world.proxy.log());
    assert_eq!(sent.len(), 20);
    let limits = Limits { calls_per_second: RATE, ..Limits::default() };
    assert_eq!(checker::pace(&History { limits, sent, ..History::default() }), []);
}
