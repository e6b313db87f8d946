//! What chaos has found, each as small as it gets.

use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use crate::checker;
use crate::history::{History, Limits};
use crate::originates;
use crate::support::wait;
use crate::target::Kind;
use crate::world::{Engine, World};

/// Somebody else's transaction that holds a table until it is dropped.
struct Held {
    _holder: AsyncPgConnection,
    /// A session of its own: within a transaction, PostgreSQL always shows the same activity.
    looker: AsyncPgConnection,
}

impl Held {
    async fn table(url: &str, table: &str) -> Self {
        let mut holder = AsyncPgConnection::establish(url).await.expect("the database");
        for statement in ["BEGIN".to_owned(), format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")] {
            diesel::sql_query(statement).execute(&mut holder).await.expect("the lock");
        }
        Self { _holder: holder, looker: AsyncPgConnection::establish(url).await.expect("the database") }
    }

    /// Waits until a statement that begins like this waits for the table.
    async fn until_waited_for(&mut self, statement: &str) {
        let waiting =
            format!("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '{statement}%'");
        wait::until_async(&format!("{statement} waits"), async || {
            let waits = diesel::sql_query(&waiting).execute(&mut self.looker).await.expect("an answer");
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
    // What the lane reads its queues from, and what the end of an attempt is counted in.
    let mut held = Held::table(&url, "queue_lanes").await;
    world.server.restart();
    held.until_waited_for("INSERT INTO queue_lanes").await;
    drop(held);
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
    let mut held = Held::table(&url, "attempts").await;
    let queue = api.insert(1, vec![crate::client::item(&talk); 20]).await;
    held.until_waited_for("INSERT INTO attempts").await;
    let (away, turns) = (Instant::now(), Duration::from_secs_f64(20.0 / RATE));
    wait::until_async("20 calls had their turn", async || (away.elapsed() >= turns).then_some(())).await;
    drop(held);
    api.wait_until_completed(queue).await;

    let sent = originates::in_log(&world.proxy.log());
    assert_eq!(sent.len(), 20);
    let limits = Limits { calls_per_second: RATE, ..Limits::default() };
    assert_eq!(checker::pace(&History { limits, sent, ..History::default() }), []);
}
