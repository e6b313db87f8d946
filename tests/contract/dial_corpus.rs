//! Posts what attackers and integrations dial: every hostile item is refused at its field, every legitimate one is
//! accepted. `tests/e2e/dialing/grammar.rs` follows the same items to the wire.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::support::api::Api;

const HOSTILE: &str = include_str!("../data/dial_policy/hostile.json");
const LEGITIMATE: &str = include_str!("../data/dial_policy/legitimate.json");

fn rows(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

/// A client for each policy of the corpus.
struct Clients<'a> {
    sandbox: &'a Sandbox,
    made: HashMap<String, Api>,
}

impl Clients<'_> {
    async fn with(&mut self, row: &Value) -> Api {
        let policy = row.get("policy").cloned().unwrap_or_else(|| json!({}));
        let key = policy.to_string();
        if !self.made.contains_key(&key) {
            let body = json!({
                "name": format!("client {}", self.made.len()), "account_code": "acme", "servers": ["server1"], "policy": policy,
            });
            let made = Api::admin(&self.sandbox.server).post("admin/clients", body).await.data();
            self.made.insert(key.clone(), Api::new(&self.sandbox.server, made["api_key"].as_str().unwrap()));
        }
        self.made[&key].clone()
    }
}

#[tokio::test]
async fn every_hostile_item_is_refused_at_its_field_and_nothing_is_stored() {
    let sandbox = Sandbox::start();
    let mut clients = Clients { sandbox: &sandbox, made: HashMap::new() };
    let rows = rows(HOSTILE);
    assert!(rows.len() >= 300, "{} hostile items", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let client = clients.with(row).await;
        let answer = client.post("queues/insertdataincallqueue", json!({ "batch_id": 1, "data": [row["item"]] })).await;
        let fields: Vec<&str> = answer.body["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|error| error["field"].as_str())
            .collect();
        let is_refused = matches!(answer.status.as_u16(), 400 | 403);
        if !is_refused || fields.is_empty() || fields.iter().any(|field| *field != row["field"]) {
            wrong.push(format!(
                "{}: {} answered {} at {fields:?}: {}",
                row["kind"], row["item"], answer.status, answer.body["message"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    for client in clients.made.values() {
        assert_eq!(client.get("queues/getmasterqueues").await.data()["count"], 0, "nothing is stored");
    }
}

#[tokio::test]
async fn every_legitimate_item_is_accepted() {
    let sandbox = Sandbox::start();
    let mut clients = Clients { sandbox: &sandbox, made: HashMap::new() };
    let rows = rows(LEGITIMATE);
    assert!(rows.len() >= 100, "{} legitimate items", rows.len());
    let mut wrong = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let client = clients.with(row).await;
        let batch = json!({ "batch_id": index + 1, "data": [row["item"]] });
        let answer = client.post("queues/insertdataincallqueue", batch).await;
        if answer.status != 200 {
            wrong.push(format!("{}: {} got {}", row["why"], row["item"], answer.body));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}
