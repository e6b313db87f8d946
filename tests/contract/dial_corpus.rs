//! Posts what attackers and integrations dial: every hostile item is refused at its field, every legitimate one is
//! accepted. `tests/e2e/dialing/grammar.rs` follows the same items to the wire.

use serde_json::json;

use crate::sandbox::Sandbox;
use crate::support::dial_corpus::{HOSTILE, LEGITIMATE, by_policy, client};

const INSERT: &str = "queues/insertdataincallqueue";

#[tokio::test]
async fn every_hostile_item_is_refused_at_its_field_and_nothing_is_stored() {
    let sandbox = Sandbox::start();
    let (mut count, mut wrong) = (0, Vec::new());
    for (index, (policy, rows)) in by_policy(HOSTILE).iter().enumerate() {
        let client = client(&sandbox.server, index, policy).await;
        count += rows.len();
        for row in rows {
            let answer = client.post(INSERT, json!({ "batch_id": 1, "data": [row["item"]] })).await;
            let errors = answer.body["errors"].as_array().into_iter().flatten();
            let fields: Vec<&str> = errors.filter_map(|error| error["field"].as_str()).collect();
            let is_refused = matches!(answer.status.as_u16(), 400 | 403);
            if !is_refused || fields.is_empty() || fields.iter().any(|field| *field != row["field"]) {
                let (kind, item, message) = (&row["kind"], &row["item"], &answer.body["message"]);
                wrong.push(format!("{kind}: {item} answered {} at {fields:?}: {message}", answer.status));
            }
        }
        assert_eq!(client.get("queues/getmasterqueues").await.data()["count"], 0, "nothing is stored");
    }
    assert!(count >= 300, "{count} hostile items");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn every_legitimate_item_is_accepted() {
    let sandbox = Sandbox::start();
    let (mut count, mut wrong) = (0, Vec::new());
    for (index, (policy, rows)) in by_policy(LEGITIMATE).iter().enumerate() {
        let client = client(&sandbox.server, index, policy).await;
        for row in rows {
            count += 1;
            let answer = client.post(INSERT, json!({ "batch_id": count, "data": [row["item"]] })).await;
            if answer.status != 200 {
                wrong.push(format!("{}: {} got {}", row["why"], row["item"], answer.body));
            }
        }
    }
    assert!(count >= 100, "{count} legitimate items");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
