//! Walks every method of the API that only administrators may call and that may change something, and checks that each
//! writes an entry of the audit with what it changed.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trunkline::api::rest::{ENDPOINTS, Endpoint, METHODS};
use trunkline::domain::scope::Scope;

use super::{Setup, node_name};

/// The methods that are no `GET` and change nothing.
const READS: [&str; 2] = ["AdminService/TestServer", "AdminService/TestWebhook"];

fn name(rpc: &str) -> &str {
    rpc.strip_prefix("trunkline.v1.").expect("a method of ours")
}

/// Returns the endpoints that change what is administered.
fn changing() -> impl Iterator<Item = &'static Endpoint> {
    let of_admins = ENDPOINTS.iter().filter(|endpoint| endpoint.scope == Scope::Admin);
    of_admins.filter(|endpoint| endpoint.verb != http::Method::GET && !READS.contains(&name(endpoint.rpc)))
}

async fn newest(setup: &Setup) -> Value {
    setup.admin.get("admin/audit?page_size=1").await.data()["results"][0].clone()
}

#[tokio::test]
async fn every_method_that_changes_something_writes_an_entry_with_what_it_changed() {
    let setup = Setup::start().await;
    let admin = &setup.admin;
    let mut left: BTreeSet<&str> = changing().map(|endpoint| name(endpoint.rpc)).collect();
    assert!(left.len() >= 18, "only {} methods were found", left.len());
    for method in METHODS.iter().filter(|method| method.scope == Scope::Admin) {
        assert!(
            ENDPOINTS.iter().any(|endpoint| endpoint.rpc == method.rpc),
            "{} has no endpoint: call it in this test by gRPC",
            method.rpc
        );
    }
    let mut ask = async |rpc: &'static str, path: &str, body: Value| {
        let endpoint = changing().find(|endpoint| name(endpoint.rpc) == rpc).unwrap_or_else(|| panic!("no {rpc}"));
        let answer = match endpoint.verb.as_str() {
            "POST" => admin.post(path, body).await,
            "PUT" => admin.put(path, body).await,
            "PATCH" => admin.patch(path, body).await,
            _ => admin.delete(path).await,
        };
        let data = answer.data();
        let entry = newest(&setup).await;
        let action = rpc.strip_prefix("AdminService/").unwrap_or(rpc);
        assert_eq!(entry["action"], action, "{rpc} wrote no entry; the newest is {entry}");
        assert!(
            entry["before"].is_string() || entry["after"].is_string(),
            "{rpc} does not say what it changed: {entry}"
        );
        assert!(!entry.to_string().contains("s3cret"), "{rpc} put a secret into the audit: {entry}");
        left.remove(rpc);
        data
    };

    let server =
        json!({ "code": "far", "host": "127.0.0.1", "port": 1, "username": "dialer", "secret": "s3cret-of-far" });
    ask("AdminService/CreateServer", "admin/servers", server).await;
    ask("AdminService/UpdateServer", "admin/servers/far", json!({ "port": 2, "secret": "s3cret-again" })).await;
    let client = json!({ "name": "acme", "account_code": "a" });
    let made = ask("AdminService/CreateClient", "admin/clients", client).await;
    let client = format!("admin/clients/{}", made["client_id"]);
    ask("AdminService/ReleaseBrake", &format!("{client}/release-brake"), json!({})).await;
    ask("AdminService/UpdateClient", &client, json!({ "disabled": true })).await;
    let grant = format!("{client}/grants/far");
    ask("AdminService/SetGrant", &grant, json!({ "max_live_calls": 2 })).await;
    ask("AdminService/DeleteGrant", &grant, Value::Null).await;
    let key = ask("AdminService/CreateKey", &format!("{client}/keys"), json!({})).await;
    let key = format!("{client}/keys/{}", key["key_id"].as_str().expect("an id"));
    ask("AdminService/RevokeKey", &key, Value::Null).await;
    let key = ask("AdminService/CreateAdminKey", "admin/keys", json!({ "name": "alice" })).await;
    let key = format!("admin/keys/{}", key["key_id"].as_str().expect("an id"));
    ask("AdminService/RevokeAdminKey", &key, Value::Null).await;
    let hook = json!({ "client_id": made["client_id"], "url": "https://crm.example/s3cret?token=s3cret" });
    let hook = ask("AdminService/CreateWebhook", "admin/webhooks", hook).await;
    let hook = format!("admin/webhooks/{}", hook["webhook_id"]);
    ask("AdminService/UpdateWebhook", &hook, json!({ "events": ["ended"] })).await;
    ask("AdminService/RotateWebhookSecret", &format!("{hook}/rotate-secret"), json!({})).await;
    ask("AdminService/ReplayDeadLetters", &format!("{hook}/dead-letters/replay"), json!({})).await;
    ask("AdminService/DeleteWebhook", &hook, Value::Null).await;
    let node = format!("admin/nodes/{}", node_name(admin).await);
    ask("AdminService/DrainNode", &format!("{node}/drain"), json!({})).await;
    ask("AdminService/ResumeNode", &format!("{node}/resume"), json!({})).await;
    ask("AdminService/SetKillSwitch", "admin/kill-switch", json!({ "engaged": true })).await;
    ask("AdminService/SetPlatformPolicy", "admin/policy", json!({ "denied_prefixes": ["+44900"] })).await;
    let number = json!({ "numbers": [{ "number": "+49 151 2345" }] });
    ask("AdminService/AddPlatformDoNotCall", "admin/do-not-call", number).await;
    ask("AdminService/RemovePlatformDoNotCall", "admin/do-not-call/491512345", Value::Null).await;
    ask("AdminService/DeleteServer", "admin/servers/far", Value::Null).await;
    assert!(left.is_empty(), "this test does not call {left:?}");
}

#[tokio::test]
async fn an_entry_says_what_was_before_and_what_is_after() {
    let setup = Setup::start().await;
    let both = async || {
        let entry = newest(&setup).await;
        let read = |name: &str| entry[name].as_str().map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
        (read("before"), read("after"))
    };
    setup.admin.patch("admin/servers/server1", json!({ "max_channels": 77, "secret": "another" })).await.data();
    assert_eq!(
        both().await,
        (Some(json!({ "max_channels": 200 })), Some(json!({ "max_channels": 77, "secret": "replaced" })))
    );
    setup.patch(json!({ "limits": { "max_live_calls": 3 } })).await;
    let (before, after) = both().await;
    assert_eq!((before, after), (Some(json!({ "limits": {} })), Some(json!({ "limits": { "max_live_calls": 3 } }))));
    let grant = format!("{}/grants/server1", setup.client_path());
    setup.admin.put(&grant, json!({ "max_live_calls": 2 })).await.data();
    assert_eq!(both().await, (Some(json!({})), Some(json!({ "max_live_calls": 2 }))));
    setup.admin.delete(&grant).await.data();
    let (before, after) = both().await;
    assert_eq!((before.expect("a grant")["max_live_calls"].clone(), after), (json!(2), None));
    setup.admin.post("admin/kill-switch", json!({ "engaged": true, "reason": "a fault" })).await.data();
    let (before, after) = both().await;
    assert_eq!(before, Some(json!({ "engaged": false })));
    let after = after.expect("a kill switch");
    assert_eq!((&after["engaged"], &after["reason"]), (&json!(true), &json!("a fault")));
}
