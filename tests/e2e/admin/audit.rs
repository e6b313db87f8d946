//! Tests `audit` and the kill switch, whose use it records.

use serde_json::{Value, json};

use super::Setup;

async fn entries(setup: &Setup, query: &str) -> Vec<Value> {
    setup.admin.get(&format!("admin/audit{query}")).await.data()["results"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn every_change_is_noted_with_who_what_when_and_from_where() {
    let setup = Setup::start().await;
    let server = json!({ "code": "far", "host": "127.0.0.1", "port": 1, "username": "dialer", "secret": "hush-hush" });
    let made = setup.admin.post("admin/servers", server).await;
    let request_id = made.headers["x-request-id"].to_str().expect("text").to_owned();
    setup.admin.patch("admin/servers/far", json!({ "secret": "hush-again", "trunks": [] })).await.data();
    setup.admin.patch("admin/servers/far", json!({ "port": 0 })).await.error(400, "INVALID_ARGUMENT");
    setup.admin.delete("admin/servers/far").await.data();

    let noted = entries(&setup, "").await;
    let actions: Vec<&str> = noted.iter().map(|entry| entry["action"].as_str().expect("text")).collect();
    assert_eq!(
        actions,
        ["DeleteServer", "UpdateServer", "CreateServer"],
        "the entries are newest first, and a refused request has none"
    );
    let first = &noted[2];
    assert_eq!((&first["actor"], &first["target"]), (&json!("bootstrap"), &json!("servers/far")));
    assert_eq!((&first["remote_address"], &first["request_id"]), (&json!("127.0.0.1"), &json!(request_id)));
    assert!(first["at"].is_string());
    let asked: Value = serde_json::from_str(noted[1]["detail"].as_str().expect("text")).expect("JSON");
    assert_eq!(asked["update_mask"], json!(["secret", "trunks"]));
    assert!(!json!(noted).to_string().contains("hush"), "a secret is in the audit: {noted:?}");

    let page = entries(&setup, "?page_size=1").await;
    let next = entries(&setup, &format!("?page_size=1&before={}", page[0]["audit_id"])).await;
    assert_eq!((&page[0], &next[0]), (&noted[0], &noted[1]));
    setup.admin.get("admin/audit?page_size=0").await.error(400, "INVALID_ARGUMENT");

    let oldest = setup.admin.get("admin/audit?after=0").await.data();
    let mut forward = oldest["results"].as_array().expect("a list").clone();
    assert_eq!(oldest["head"], json!({ "seq": 3, "hash": noted[0]["hash"] }));
    assert_eq!(forward[1]["previous_hash"], forward[0]["hash"]);
    forward.reverse();
    assert_eq!(forward, noted, "the entries after 0 are not all entries, oldest first");
    assert_eq!(entries(&setup, &format!("?after={}", noted[1]["audit_id"])).await, noted[..1]);
    let between = format!("?after={}&before={}", noted[2]["audit_id"], noted[0]["audit_id"]);
    assert_eq!(entries(&setup, &between).await, noted[1..2]);
}

#[tokio::test]
async fn the_kill_switch_is_set_with_a_reason_and_survives_a_restart() {
    let mut setup = Setup::start().await;
    assert_eq!(setup.admin.get("admin/kill-switch").await.data(), json!({ "engaged": false }));
    for (body, field) in [(json!({}), "engaged"), (json!({ "engaged": true, "reason": "x".repeat(256) }), "reason")] {
        let answer = setup.admin.post("admin/kill-switch", body).await;
        answer.error(400, "INVALID_ARGUMENT");
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
    }
    let set = setup.admin.post("admin/kill-switch", json!({ "engaged": true, "reason": "a fault" })).await.data();
    assert_eq!((&set["engaged"], &set["reason"]), (&json!(true), &json!("a fault")));
    setup.server.restart();
    let admin = setup.admin.at(&setup.server);
    assert_eq!(admin.get("admin/kill-switch").await.data(), set);
    assert_eq!(admin.post("admin/kill-switch", json!({ "engaged": false })).await.data()["engaged"], false);
}
