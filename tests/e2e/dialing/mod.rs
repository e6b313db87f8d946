//! Tests when calls are dialed: pauses, the kill switch, limits and fairness, and the reasons that explain gives.

mod braking;
mod explaining;
mod grammar;
mod legs;
mod longest;
mod pacing;
mod spending;
mod variables;

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::server::Server;
use crate::support::wait;

/// A number that answers and never hangs up, through its own trunk.
const FOREVER: &str = "PJSIP/1234567806@endpoint1";

/// Changes the store of the running server, as another node would.
pub fn change(server: &Server, sql: &str) {
    let file = server.data_dir().join("trunkline.db");
    let mut store = SqliteConnection::establish(&file.to_string_lossy()).expect("the store");
    store.batch_execute(&format!("PRAGMA busy_timeout = 20000; {sql}")).expect("a change");
}

/// Waits until a change of the store is in effect: the lane may use what it has read for one second.
pub async fn until_it_holds() {
    let changed = Instant::now();
    let over = async || (changed.elapsed() >= Duration::from_secs(1)).then_some(());
    wait::until_async("one second has passed", over).await;
}

pub fn set_kill_switch(server: &Server, engaged: bool) {
    let value = json!({ "engaged": engaged, "reason": "a fire drill" }).to_string();
    change(
        server,
        &format!(
            "INSERT INTO settings (name, value, changed_at) VALUES ('kill_switch', '{value}', 1) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        ),
    );
}

async fn set_status(client: &Api, queue: i64, status: &str) {
    client.put(&format!("queues/updatequeuemaster/{queue}"), json!({ "queue_status": status })).await.data();
}

async fn explain(client: &Api, queue: i64) -> Value {
    client.get(&format!("queues/{queue}/explain")).await.data()
}

/// Returns how many calls of a queue have begun.
async fn begun(client: &Api, queue: i64) -> i64 {
    let queue = client.queue(queue).await;
    queue["total_calls"].as_i64().expect("a total") - queue["counts"]["queued"].as_i64().expect("a count")
}
