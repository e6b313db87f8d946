//! Tests `clients/{client_id}/keys`, and which keys are refused with 401.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Setup;
use crate::support::api::Api;
use crate::support::wait;

const ME: &str = "clients/test-connection";

async fn make(setup: &Setup, body: Value) -> (Api, String) {
    let key = setup.admin.post(&format!("{}/keys", setup.client_path()), body).await.data();
    let text = |name: &str| key[name].as_str().expect("text").to_owned();
    (Api::new(&setup.server, &text("api_key")), text("key_id"))
}

#[tokio::test]
async fn old_keys_stay_valid_until_they_are_revoked() {
    let setup = Setup::start().await;
    let (second, second_id) = make(&setup, json!({})).await;
    for key in [&setup.client, &second] {
        assert_eq!(key.get(ME).await.data()["client_id"], setup.client_id);
    }
    let path = format!("{}/keys/{second_id}", setup.client_path());
    let revoked = setup.admin.delete(&path).await.data();
    assert!(revoked["revoked_at"].is_string(), "{revoked}");
    wait::until_async("the key is refused", async || (second.get(ME).await.status == 401).then_some(())).await;
    assert_eq!(
        setup.admin.delete(&path).await.data()["revoked_at"],
        revoked["revoked_at"],
        "the time of the first revocation is kept"
    );
    assert_eq!(setup.client.get(ME).await.status, 200, "the other key still works");
    setup.admin.delete(&format!("{}/keys/nosuch", setup.client_path())).await.error(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_key_expires_by_itself() {
    let setup = Setup::start().await;
    let path = format!("{}/keys", setup.client_path());
    let past = json!({ "expires_at": (Timestamp::now() - SignedDuration::from_secs(1)).to_string() });
    let answer = setup.admin.post(&path, past).await;
    assert_eq!(answer.body["errors"][0]["field"], "expires_at", "{}", answer.body);
    let soon = Timestamp::now() + SignedDuration::from_secs(2);
    let (key, _) = make(&setup, json!({ "expires_at": soon.to_string() })).await;
    wait::until_async("the key has expired", async || {
        let now = Timestamp::now();
        let status = key.get(ME).await.status.as_u16();
        assert!(status == 401 || now < soon, "the key still works at {now}, after its end at {soon}");
        (status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn keys_are_listed_without_secrets_and_with_their_last_use() {
    let setup = Setup::start().await;
    let (key, id) = make(&setup, json!({})).await;
    let path = format!("{}/keys", setup.client_path());
    let of = async |id: &str| {
        let listed = setup.admin.get(&path).await.data();
        assert_eq!(listed["count"], 2, "{listed}");
        assert!(!listed.to_string().contains("api_key") && !listed.to_string().contains(key.key()), "{listed}");
        listed["results"].as_array().expect("a list").iter().find(|key| key["key_id"] == id).expect("listed").clone()
    };
    assert_eq!(of(&id).await["last_used_at"], Value::Null);
    key.get(ME).await.data();
    assert!(of(&id).await["last_used_at"].is_string());
}

#[tokio::test]
async fn all_401s_have_the_same_text() {
    let setup = Setup::start().await;
    let (revoked, id) = make(&setup, json!({})).await;
    setup.admin.delete(&format!("{}/keys/{id}", setup.client_path())).await.data();
    let forged = format!("{}xxxxxx", &setup.client.key()[..setup.client.key().len() - 6]);
    let mut texts = Vec::new();
    for key in [revoked.key(), &forged, "your_api_key", ""] {
        texts.push(Api::new(&setup.server, key).get(ME).await.error(401, "UNAUTHENTICATED"));
    }
    texts.dedup();
    assert_eq!(texts, ["missing or invalid API key"]);
}

#[tokio::test]
async fn a_key_may_do_only_what_it_is_for() {
    let setup = Setup::start().await;
    for path in ["admin/clients", "admin/servers", "admin/nodes", "admin/audit", "admin/kill-switch", "admin/policy"] {
        setup.client.get(path).await.error(403, "PERMISSION_DENIED");
    }
    for path in ["queues/getmasterqueues", "clients/do-not-call"] {
        setup.admin.get(path).await.error(403, "PERMISSION_DENIED");
    }
}
