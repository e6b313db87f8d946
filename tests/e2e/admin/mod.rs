//! Tests administration, row by row of its table, and "Limits and access", with the real server over REST.

mod acting;
mod audit;
mod audited;
mod clients;
mod do_not_call;
mod keys;
mod limits;
mod nodes;
mod numbers;
mod policy;
mod servers;

use serde_json::{Value, json};

use crate::support::api::{Api, item};
use crate::support::server::{Options, Server};

pub const INSERT: &str = "queues/insertdataincallqueue";
pub const QUICK: &str = "queues/insertquickcall";

/// A server with a sandbox, its administrator, and its first client with that client's id.
pub struct Setup {
    pub server: Server,
    pub admin: Api,
    pub client: Api,
    pub client_id: i64,
}

impl Setup {
    pub async fn start() -> Self {
        let server = Options::default().arg("--sandbox").start();
        let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
        let me = client.get("clients/test-connection").await.data();
        let client_id = me["client_id"].as_i64().expect("an id");
        Self { server, admin, client, client_id }
    }

    pub fn client_path(&self) -> String {
        format!("admin/clients/{}", self.client_id)
    }

    /// Changes the sandbox's client.
    pub async fn patch(&self, change: Value) -> Value {
        self.admin.patch(&self.client_path(), change).await.data()
    }

    /// Stops all dialing, so that calls keep waiting.
    pub async fn drain(&self) {
        let node = node_name(&self.admin).await;
        self.admin.post(&format!("admin/nodes/{node}/drain"), json!({})).await.data();
        crate::support::wait::until_async("the node has released its servers", async || {
            let node = self.admin.get("admin/nodes").await.data()["results"][0].clone();
            node["servers"].as_array().expect("a list").is_empty().then_some(())
        })
        .await;
    }
}

pub async fn node_name(admin: &Api) -> String {
    let nodes = admin.get("admin/nodes").await.data();
    nodes["results"][0]["name"].as_str().expect("a name").to_owned()
}

/// Makes an item that dials a number through the sandbox's server.
pub fn to(number: &str) -> Value {
    item("server1", &format!("PJSIP/{number}@endpoint1"), "1")
}

pub fn batch(batch_id: i64, items: Vec<Value>) -> Value {
    json!({ "batch_id": batch_id, "data": items })
}

pub fn quick(number: &str) -> Value {
    json!({
        "asterisk_server_code": "server1", "customer_name": "A", "number1": number, "number2": "1002",
        "action": { "Action": "Originate", "Application": "Dial" },
    })
}
