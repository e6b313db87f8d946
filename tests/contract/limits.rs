//! Tests the contract's section "Limits and access".

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, dials, with};
use crate::support::api::Api;

#[tokio::test]
async fn missing_unknown_and_revoked_keys_get_one_text() {
    let sandbox = Sandbox::start();
    let admin = Api::admin(&sandbox.server);
    let other = sandbox.other_client("other", json!({})).await;
    let client_id = other.get("clients/test-connection").await.data()["client_id"].clone();
    let keys = admin.get(&format!("admin/clients/{client_id}/keys")).await.data();
    let key_id = keys["results"][0]["key_id"].as_str().unwrap();
    admin.delete(&format!("admin/clients/{client_id}/keys/{key_id}")).await.data();
    crate::support::wait::until_async("the key is revoked", async || {
        (other.get("clients/test-connection").await.status == 401).then_some(())
    })
    .await;
    let path = "/calling/api/v1/clients/test-connection";
    let mut texts = Vec::new();
    for key in ["", "tl_test_abc_def", other.key()] {
        let reply = sandbox.send_as(key, reqwest::Method::GET, path, &[], "").await;
        texts.push(reply.error(401, "UNAUTHENTICATED").to_owned());
    }
    texts.dedup();
    assert_eq!(texts, ["missing or invalid API key"]);
}

#[tokio::test]
async fn a_call_that_breaks_the_dial_policy_is_403_at_its_field_when_inserted() {
    let sandbox = Sandbox::start();
    let policy = json!({"destination_prefixes": {"allow": [], "deny": ["44900"]}, "trunks": ["endpoint1"]});
    let client = sandbox.other_client("careful", policy).await;
    let channel = ["action", "Channel"];
    let denied: [(Value, &str); 5] = [
        (with(dials("4900"), &channel, json!("SIP/4900@endpoint1")), "data[0].action.Channel"),
        (with(dials("4900"), &channel, json!("PJSIP/4900@sip.example.com")), "data[0].action.Channel"),
        (with(dials("4900"), &channel, json!("PJSIP/4900@endpoint2")), "data[0].action.Channel"),
        (with(dials("4900"), &["action", "Application"], json!("System")), "data[0].action.Application"),
        (dials("44900123"), "data[0].action.Channel"),
    ];
    for (item, field) in denied {
        let answer = client.post("queues/insertdataincallqueue", json!({"batch_id": 1, "data": [item]})).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (403, &json!("PERMISSION_DENIED")),
            "{}",
            answer.body
        );
        assert_eq!(answer.body["errors"][0]["field"], json!(field), "{}", answer.body);
    }
    client.insert(1, vec![dials("44800")]).await;
}

#[tokio::test]
async fn a_keys_end_without_an_offset_is_taken_as_utc_with_a_warning() {
    let sandbox = Sandbox::start();
    let admin = Api::admin(&sandbox.server);
    let client_id = sandbox.api.get("clients/test-connection").await.data()["client_id"].clone();
    let keys = format!("admin/clients/{client_id}/keys");
    let key = admin.post(&keys, json!({"expires_at": "2999-01-01T00:00:00"})).await.data();
    assert_eq!(key["warnings"], json!(["expires_at: has no offset, taken as UTC"]), "{key}");
    let key = admin.post(&keys, json!({"expires_at": "2999-01-01T00:00:00Z"})).await.data();
    assert!(key.get("warnings").is_none(), "{key}");
}
