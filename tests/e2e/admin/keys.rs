//! Tests `clients/{client_id}/keys` and `admin/keys`: which keys are refused, from where, and what they allow.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use trunkline::api::auth::{ApiKey, KeyKind};

use super::{INSERT, Setup, batch, to};
use crate::support::api::Api;
use crate::support::server::{Options, Server};
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
    // An administrator names the client whose list it is, and sees the queues of all.
    setup.admin.get("clients/do-not-call").await.error(403, "PERMISSION_DENIED");
    setup.admin.get("queues/getmasterqueues").await.data();
}

#[tokio::test]
async fn a_key_allows_no_more_than_its_scope() {
    let setup = Setup::start().await;
    let (reader, _) = make(&setup, json!({ "scope": "read" })).await;
    let (writer, writer_id) = make(&setup, json!({})).await;
    for key in [&reader, &writer] {
        key.get("queues/getmasterqueues").await.data();
        key.get("clients/do-not-call").await.data();
    }
    let text = reader.post(INSERT, batch(1, vec![to("1234567801")])).await.error(403, "PERMISSION_DENIED");
    assert_eq!(text, "needs a key with scope `write`, and this key has scope `read`");
    reader
        .post("clients/do-not-call", json!({ "numbers": [{ "number": "4930" }] }))
        .await
        .error(403, "PERMISSION_DENIED");
    writer.post(INSERT, batch(1, vec![to("1234567801")])).await.data();
    let listed = setup.admin.get(&format!("{}/keys", setup.client_path())).await.data();
    for key in listed["results"].as_array().expect("a list") {
        let is_reader = reader.key().contains(key["key_id"].as_str().expect("an id"));
        assert_eq!(key["scope"], if is_reader { "read" } else { "write" }, "{key} and {writer_id}");
    }
    let answer = setup.admin.post(&format!("{}/keys", setup.client_path()), json!({ "scope": "admin" })).await;
    answer.error(400, "INVALID_ARGUMENT");
    assert_eq!(answer.body["errors"][0], json!({ "field": "scope", "message": "must be read or write" }));
}

#[tokio::test]
async fn a_key_with_networks_is_refused_elsewhere() {
    let setup = Setup::start().await;
    let (near, _) = make(&setup, json!({ "networks": ["::1", "127.0.0.0/8"] })).await;
    assert_eq!(near.get(ME).await.status, 200);
    let (far, far_id) = make(&setup, json!({ "networks": ["192.0.2.0/24", "2001:db8::/32"] })).await;
    assert_eq!(far.get(ME).await.error(403, "PERMISSION_DENIED"), "the API key may not be used from 127.0.0.1");
    let path = format!("{}/keys", setup.client_path());
    let listed = setup.admin.get(&path).await.data();
    let far = listed["results"].as_array().expect("a list").iter().find(|key| key["key_id"] == far_id).expect("listed");
    assert_eq!(far["networks"], json!(["192.0.2.0/24", "2001:db8::/32"]));
    assert_eq!(far["last_used_at"], Value::Null, "a refused request is no use of the key");
    let wrong = setup.admin.post(&path, json!({ "networks": ["10.0.0.0/8", "10.1.0.0/8", "office"] })).await;
    wrong.error(400, "INVALID_ARGUMENT");
    assert_eq!(wrong.body["errors"][0]["field"], "networks[1]", "{}", wrong.body);
    assert_eq!(wrong.body["errors"][1]["field"], "networks[2]", "{}", wrong.body);
    assert_eq!(setup.admin.get(&path).await.data()["count"], 3, "a refused key is not stored");
}

/// Asks with a key from one of this machine's loopback addresses, and with headers as a proxy sets them.
async fn ask(server: &Server, from: &str, key: &str, headers: &[(&str, &str)]) -> Response {
    let http = Client::builder().local_address(from.parse::<IpAddr>().expect("an address")).build().expect("a client");
    let mut request = http.get(server.url(&format!("/calling/api/v1/{ME}"))).header("X-API-KEY", key);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

#[tokio::test]
async fn only_a_configured_proxy_says_where_a_request_came_from() {
    let server = Options::default().arg("--sandbox").env("TRUNKLINE_TRUSTED_PROXIES", "127.0.0.2, 10.0.0.0/8").start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    let client_id = client.get(ME).await.data()["client_id"].clone();
    let body = json!({ "networks": ["192.0.2.0/24"] });
    let key = admin.post(&format!("admin/clients/{client_id}/keys"), body).await.data();
    let key = key["api_key"].as_str().expect("a key");
    for (from, headers, served) in [
        ("127.0.0.1", ("x-forwarded-for", "192.0.2.9"), false),
        ("127.0.0.2", ("x-forwarded-for", "192.0.2.9"), true),
        ("127.0.0.2", ("x-forwarded-for", "192.0.2.9, 203.0.113.4"), false),
        ("127.0.0.2", ("forwarded", "for=192.0.2.9;proto=https"), true),
    ] {
        let status = ask(&server, from, key, &[headers]).await.status();
        assert_eq!(status, if served { 200 } else { 403 }, "from {from} with {headers:?}");
    }
    // The audit names the administrator's address and not the proxy's.
    let proxied = Client::builder().local_address("127.0.0.2".parse::<IpAddr>().expect("an address")).build();
    let request = proxied.expect("a client").post(server.url("/calling/api/v1/admin/kill-switch"));
    let request = request.header("X-API-KEY", admin.key()).header("x-forwarded-for", "198.51.100.7");
    request.json(&json!({ "engaged": false })).send().await.expect("an answer").error_for_status().expect("a success");
    let entry = admin.get("admin/audit?page_size=1").await.data()["results"][0].clone();
    assert_eq!((&entry["actor"], &entry["remote_address"]), (&json!("bootstrap"), &json!("198.51.100.7")));
}

#[tokio::test]
async fn guessing_locks_out_its_address_and_no_other() {
    let setup = Setup::start().await;
    for guess in 0..10 {
        let key = ApiKey::generate(KeyKind::Live);
        let status = ask(&setup.server, "127.0.0.3", key.expose(), &[]).await.status();
        assert_eq!(status, 401, "guess {guess}");
    }
    let (unused, _) = make(&setup, json!({})).await;
    let answer = ask(&setup.server, "127.0.0.3", unused.key(), &[]).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["retry-after"], "1");
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(
        (&body["code"], &body["message"]),
        (&json!("RESOURCE_EXHAUSTED"), &json!("too many wrong API keys came from this address"),)
    );
    assert_eq!(ask(&setup.server, "127.0.0.4", unused.key(), &[]).await.status(), 200);
    // It is in use now, and is not locked out by its neighbours any more.
    assert_eq!(ask(&setup.server, "127.0.0.3", unused.key(), &[]).await.status(), 200);
    let log = setup.server.output().text();
    assert!(log.contains("127.0.0.3") && !log.contains(unused.key()), "the log names the address and no key: {log}");
}

/// Returns a key with the same id, another secret, and the right checksum, as someone who knows the format makes it.
fn with_another_secret(key: &str) -> String {
    const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let start = key.len() - 38;
    let body = format!("{}{}", &key[..start], "x".repeat(32));
    let mut rest = crc32fast::hash(body.as_bytes()) as usize;
    let mut checksum = String::new();
    for _ in 0..6 {
        checksum.insert(0, char::from(BASE62[rest % 62]));
        rest /= 62;
    }
    body + &checksum
}

#[tokio::test]
async fn a_wrong_secret_is_no_use_of_the_key() {
    let setup = Setup::start().await;
    let (key, id) = make(&setup, json!({})).await;
    let forged = with_another_secret(key.key());
    assert_eq!(ApiKey::parse(&forged).expect("a well-formed key").key_id, id);
    Api::new(&setup.server, &forged).get(ME).await.error(401, "UNAUTHENTICATED");
    let listed = setup.admin.get(&format!("{}/keys", setup.client_path())).await.data();
    let listed = listed["results"].as_array().expect("a list").iter().find(|key| key["key_id"] == id).cloned();
    assert_eq!(listed.expect("listed")["last_used_at"], Value::Null);
    assert_eq!(key.get(ME).await.status, 200);
}

#[tokio::test]
async fn each_administrator_has_a_key_with_a_name_that_the_audit_shows() {
    let setup = Setup::start().await;
    let made = setup.admin.post("admin/keys", json!({ "name": "alice", "networks": ["127.0.0.0/8"] })).await.data();
    assert_eq!((&made["name"], &made["scope"]), (&json!("alice"), &json!("admin")));
    let alice = Api::new(&setup.server, made["api_key"].as_str().expect("a key"));
    let bob = alice.post("admin/keys", json!({ "name": "bob" })).await.data();
    alice.get("admin/clients").await.data();
    let message = alice.get("clients/do-not-call").await.error(403, "PERMISSION_DENIED");
    assert_eq!(message, "client_id: required with an administrator's key");
    let entry = setup.admin.get("admin/audit?page_size=1").await.data()["results"][0].clone();
    let bob_id = bob["key_id"].as_str().expect("an id");
    assert_eq!(
        (&entry["actor"], &entry["action"], &entry["target"]),
        (&json!("alice"), &json!("CreateAdminKey"), &json!(format!("keys/{bob_id}")))
    );

    let listed = setup.admin.get("admin/keys").await.data();
    assert_eq!(listed["count"], 2, "{listed}");
    assert!(!listed.to_string().contains("api_key"), "{listed}");
    assert!(
        listed["results"][0]["last_used_at"].is_string() && listed["results"][1]["last_used_at"].is_null(),
        "{listed}"
    );

    let revoked = setup.admin.delete(&format!("admin/keys/{}", made["key_id"].as_str().expect("an id"))).await.data();
    assert!(revoked["revoked_at"].is_string(), "{revoked}");
    wait::until_async("the key is refused", async || (alice.get("admin/keys").await.status == 401).then_some(())).await;
    assert_eq!(setup.admin.get("admin/keys").await.status, 200, "the configured key is not affected");
    let again = setup.admin.post("admin/keys", json!({ "name": "alice" })).await.error(409, "ALREADY_EXISTS");
    assert!(again.contains("alice"), "{again}");
    for (name, message) in [("bootstrap", "is the name of the configured admin key"), ("a b", "must be letters")] {
        let answer = setup.admin.post("admin/keys", json!({ "name": name })).await;
        answer.error(400, "INVALID_ARGUMENT");
        let error = &answer.body["errors"][0];
        assert_eq!(error["field"], "name", "{error}");
        assert!(error["message"].as_str().expect("text").contains(message), "{error}");
    }
    setup.admin.delete("admin/keys/nosuch").await.error(404, "NOT_FOUND");
}

#[tokio::test]
async fn the_key_of_another_client_is_not_found() {
    let setup = Setup::start().await;
    let other = setup.admin.post("admin/clients", json!({ "name": "other", "account_code": "1" })).await.data();
    let (key, id) = make(&setup, json!({})).await;
    let path = |id: &str| format!("admin/clients/{}/keys/{id}", other["client_id"]);
    let swapped = setup.admin.delete(&path(&id)).await.error(404, "NOT_FOUND");
    assert_eq!(
        swapped.replace(&id, "X"),
        setup.admin.delete(&path("nosuch")).await.error(404, "NOT_FOUND").replace("nosuch", "X")
    );
    assert_eq!(key.get(ME).await.status, 200, "the key was revoked in the name of another client");
    setup.admin.delete(&format!("admin/keys/{id}")).await.error(404, "NOT_FOUND");
}
