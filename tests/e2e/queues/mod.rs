//! Tests the contract's section "Queues", sentence by sentence, with `trunkline serve --sandbox`.

mod batches;
mod lifecycle;
mod lists;
mod operations;
mod quick;
mod rules;
mod search;
mod states;
mod streams;

use serde_json::{Value, json};

use crate::support::api::{self, Api};
use crate::support::server::{Options, Server};

pub const INSERT: &str = "queues/insertdataincallqueue";

/// Numbers with a fixed outcome in the sandbox.
pub const ANSWERS: &str = "PJSIP/1234567890@endpoint1";
pub const BUSY: &str = "PJSIP/1234567801@endpoint1";
pub const UNALLOCATED: &str = "PJSIP/1234567804@endpoint1";
pub const RINGS_LONG: &str = "PJSIP/1234567805@endpoint1";
pub const NEVER_HANGS_UP: &str = "PJSIP/1234567806@endpoint1";

/// Starts a sandbox with this speed, and returns it with its client.
pub fn sandbox(speed: &str) -> (Server, Api) {
    let server = Options::default().arg("--sandbox").arg("--sandbox-speed").arg(speed).start();
    let client = Api::sandbox(&server);
    (server, client)
}

/// Starts a server with a PostgreSQL database.
pub fn on_postgres(url: &str) -> Options {
    Options::default()
        .arg("--sandbox")
        .env("TRUNKLINE_DATABASE_URL", url)
        .env("TRUNKLINE_SECRET_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
}

pub fn item(channel: &str) -> Value {
    api::item("server1", channel, "1")
}

/// Changes a queue and returns it as it is afterwards.
pub async fn update(client: &Api, queue: i64, fields: Value) -> Value {
    client.put(&format!("queues/updatequeuemaster/{queue}"), fields).await.data()
}

/// Returns a queue by its id.
pub async fn get(client: &Api, queue: i64) -> Value {
    client.get(&format!("queues/getqueuemaster/{queue}")).await.data()
}

pub fn batch(batch_id: i64, queue: Option<i64>, items: Vec<Value>) -> Value {
    json!({ "batch_id": batch_id, "queue_id": queue, "data": items })
}

/// Waits until calls of another queue have ended, so that the lane has dialed everything that was due before.
pub async fn let_the_lane_go_round(client: &Api, batch_id: i64) {
    let queue = client.insert(batch_id, vec![item(ANSWERS); 3]).await;
    client.wait_until_completed(queue).await;
}
