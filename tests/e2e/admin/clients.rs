//! Tests `clients` and `clients/{client_id}/grants`.

use serde_json::{Value, json};

use super::{INSERT, Setup, batch, to};
use crate::support::wait;

#[tokio::test]
async fn a_client_is_made_with_a_key_that_is_shown_once() {
    let setup = Setup::start().await;
    let new = json!({
        "name": "acme", "account_code": "acme", "servers": ["server1"],
        "limits": { "max_live_calls": 5, "max_queued_calls": 9_007_199_254_740_993_i64 },
        "policy": { "destination_prefixes": { "allow": ["+44"] }, "did_policy": "force" },
    });
    let made = setup.admin.post("admin/clients", new.clone()).await.data();
    assert!(made["api_key"].as_str().expect("a key").starts_with("tl_test_"), "{made}");
    let path = format!("admin/clients/{}", made["client_id"]);
    let read = setup.admin.get(&path).await.data();
    assert_eq!(read["api_key"], Value::Null);
    assert_eq!(read["limits"], new["limits"]);
    assert_eq!((&read["policy"]["did_policy"], &read["servers"]), (&json!("force"), &json!(["server1"])));
    setup.admin.post("admin/clients", new).await.error(409, "ALREADY_EXISTS");
    let all = setup.admin.get("admin/clients?page_size=1").await.data();
    assert_eq!((&all["count"], all["results"].as_array().map(Vec::len)), (&json!(2), Some(1)));
    setup.admin.get("admin/clients/4711").await.error(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let setup = Setup::start().await;
    let before = setup.admin.get(&setup.client_path()).await.data();
    let limited = setup.patch(json!({ "limits": { "max_live_calls": 3 } })).await;
    assert_eq!(limited["limits"], json!({ "max_live_calls": 3 }));
    assert_eq!((&limited["servers"], &limited["name"]), (&before["servers"], &before["name"]));
    let reset = setup.patch(json!({ "limits": {}, "servers": [], "policy": null })).await;
    assert_eq!((&reset["limits"], &reset["servers"]), (&json!({}), &json!([])));
    let masked = setup.patch(json!({ "update_mask": ["name"], "name": "renamed", "account_code": "not meant" })).await;
    assert_eq!((&masked["name"], &masked["account_code"]), (&json!("renamed"), &before["account_code"]));
}

#[tokio::test]
async fn a_patch_that_means_nothing_or_breaks_a_rule_changes_nothing() {
    let setup = Setup::start().await;
    let before = setup.admin.get(&setup.client_path()).await.data();
    for (change, field) in [
        (json!({}), ""),
        (json!({ "update_mask": ["client_id"] }), "update_mask[0]"),
        (json!({ "nam": "x" }), "nam"),
        (json!({ "name": null }), ""),
        (json!({ "servers": ["elsewhere"] }), "servers[0]"),
        (json!({ "limits": { "requests_per_second": 0 } }), "limits.requests_per_second"),
        (json!({ "policy": { "dial_options": ["tT"] } }), "policy.dial_options[0]"),
        (json!({ "policy": { "destination_prefixes": { "deny": ["sip"] } } }), "policy.destination_prefixes.deny[0]"),
        (json!({ "policy": { "did_policy": "sometimes" } }), "policy.did_policy"),
    ] {
        let answer = setup.admin.patch(&setup.client_path(), change.clone()).await;
        answer.error(400, "INVALID_ARGUMENT");
        assert_eq!(answer.body["errors"][0]["field"], field, "{change}: {}", answer.body);
    }
    assert_eq!(setup.admin.get(&setup.client_path()).await.data(), before);
    setup.admin.patch("admin/clients/4711", json!({ "disabled": true })).await.error(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_disabled_client_is_403_within_a_second_and_comes_back() {
    let setup = Setup::start().await;
    setup.client.get("clients/test-connection").await.data();
    assert_eq!(setup.patch(json!({ "disabled": true })).await["disabled"], true);
    wait::until_async("the key is refused", async || {
        let answer = setup.client.get("clients/test-connection").await;
        (answer.status == 403).then(|| answer.error(403, "PERMISSION_DENIED"))
    })
    .await;
    setup.patch(json!({ "disabled": false })).await;
    wait::until_async("the key works again", async || {
        (setup.client.get("clients/test-connection").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_grant_has_limits_and_is_taken_back() {
    let setup = Setup::start().await;
    let path = format!("{}/grants", setup.client_path());
    let one = format!("{path}/server1");
    let set = setup.admin.put(&one, json!({ "max_live_calls": 4, "calls_per_second": 0.5 })).await.data();
    assert_eq!((&set["max_live_calls"], &set["calls_per_second"]), (&json!(4), &json!(0.5)));
    // Listing the server among the client's servers again keeps the grant's limits.
    setup.patch(json!({ "servers": ["server1"] })).await;
    assert_eq!(setup.admin.get(&path).await.data(), json!({ "results": [set], "count": 1 }));
    let bad = setup.admin.put(&one, json!({ "max_live_calls": 0, "calls_per_second": 0 })).await;
    bad.error(400, "INVALID_ARGUMENT");
    assert_eq!(bad.body["errors"].as_array().map(Vec::len), Some(2), "{}", bad.body);
    setup.admin.put(&format!("{path}/elsewhere"), json!({})).await.error(404, "NOT_FOUND");
    setup.admin.delete(&one).await.data();
    setup.admin.delete(&one).await.error(404, "NOT_FOUND");
    let answer = setup.client.post(INSERT, batch(1, vec![to("1234567890")])).await;
    assert_eq!(answer.body["errors"][0]["field"], "data[0].asterisk_server_code", "{}", answer.body);
}
