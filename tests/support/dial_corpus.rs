//! What attackers and integrations dial, as data: `tests/data/dial_policy`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::api::Api;
use super::server::Server;

/// Items that are to be refused. Each has a `kind`, the `field` at which it is refused, the `item`, and the `policy` of its
/// client unless that is the default.
pub const HOSTILE: &str = include_str!("../data/dial_policy/hostile.json");

/// Items that are to be dialed. Each says `why`, and has the `channel` and the `data` or extension that go out.
pub const LEGITIMATE: &str = include_str!("../data/dial_policy/legitimate.json");

/// Returns the rows of a corpus by the policy that they need.
pub fn by_policy(text: &str) -> BTreeMap<String, Vec<Value>> {
    let rows: Vec<Value> = serde_json::from_str(text).expect("a list of rows");
    let mut by_policy: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in rows {
        let policy = row.get("policy").cloned().unwrap_or_else(|| json!({}));
        by_policy.entry(policy.to_string()).or_default().push(row);
    }
    by_policy
}

/// Makes a client with a policy, which may dial through `server1`.
pub async fn client(server: &Server, name: usize, policy: &str) -> Api {
    let policy: Value = serde_json::from_str(policy).expect("a policy");
    let body = json!({
        "name": format!("client {name}"), "account_code": "acme", "servers": ["server1"], "policy": policy,
    });
    let made = Api::admin(server).post("admin/clients", body).await.data();
    Api::new(server, made["api_key"].as_str().expect("a key"))
}
