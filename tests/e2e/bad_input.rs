//! Sends what must not be stored. It is answered as the contract says, and nothing is stored.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::support::api::{Api, item};
use crate::support::server::{Options, Server, trunkline};

const INSERT: &str = "queues/insertdataincallqueue";

fn sandbox() -> (Server, Api) {
    let server = Options::default().arg("--sandbox").start();
    let client = Api::sandbox(&server);
    (server, client)
}

fn good() -> Value {
    item("server1", "PJSIP/1234567890@endpoint1", "1")
}

/// Makes a valid item with one field of `action` changed.
fn with_action(name: &str, value: Value) -> Value {
    let mut item = good();
    item["action"][name] = value;
    item
}

fn with(name: &str, value: Value) -> Value {
    let mut item = good();
    item[name] = value;
    item
}

async fn stores_nothing(client: &Api) {
    let queues = client.get("queues/getmasterqueues").await.data();
    assert_eq!(queues["count"], 0, "{queues}");
}

#[tokio::test]
async fn a_bad_item_is_refused_at_its_field_and_nothing_is_stored() {
    let (_server, client) = sandbox();
    let cases = [
        (with("retry", json!("many")), 400, "data[1].retry"),
        (with("retry", json!(101)), 400, "data[1].retry"),
        (with("Timeot", json!(1)), 400, "data[1].Timeot"),
        (with("asterisk_server_code", json!("elsewhere")), 400, "data[1].asterisk_server_code"),
        (with("action", Value::Null), 400, "data[1].action"),
        (with("deadline", json!("tomorrow")), 400, "data[1].deadline"),
        (with("contact_number", json!(-1)), 400, "data[1].contact_number"),
        (with_action("Channel", Value::Null), 400, "data[1].action.Channel"),
        (with_action("Action", json!("Hangup")), 400, "data[1].action.Action"),
        (with_action("Channel", json!("PJSIP/1@e\r\nAction: Command")), 400, "data[1].action.Channel"),
        (with_action("CallerID", json!("a\nb")), 400, "data[1].action.CallerID"),
        (with_action("Data", json!("1\u{0}")), 400, "data[1].action.Data"),
        (with_action("Data", json!("${SHELL(id)}")), 400, "data[1].action.Data"),
        (with_action("Variable", json!("SHELL(x)=1")), 400, "data[1].action.Variable"),
        (with_action("Timeout", json!(5)), 400, "data[1].action.Timeout"),
        (with_action("Data", json!("x".repeat(2000))), 400, "data[1].action.Data"),
        (with_action("Application", json!("System")), 403, "data[1].action.Application"),
        (with_action("Channel", json!("DAHDI/1")), 403, "data[1].action.Channel"),
        (with_action("Account", json!("somebody_else")), 403, "data[1].action.Account"),
    ];
    for (bad, status, field) in cases {
        let answer = client.post(INSERT, json!({ "batch_id": 1, "data": [good(), bad] })).await;
        assert_eq!(answer.status.as_u16(), status, "{field}: {}", answer.body);
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
        assert_eq!((&answer.body["status"], &answer.body["data"]), (&json!("error"), &Value::Null));
    }
    let recorded = json!({ "create_recording": true, "recording_path": "/recordings/../etc/passwd" });
    let mut bad = good();
    bad.as_object_mut().expect("an object").extend(recorded.as_object().expect("an object").clone());
    let answer = client.post(INSERT, json!({ "batch_id": 1, "data": [bad] })).await;
    assert_eq!(answer.body["errors"][0]["field"], "data[0].recording_path", "{}", answer.body);
    stores_nothing(&client).await;
}

#[tokio::test]
async fn a_bad_batch_is_refused_whole() {
    let (_server, client) = sandbox();
    for (body, field) in [
        (json!({ "batch_id": 1, "data": [] }), "data"),
        (json!({ "batch_id": 1, "data": vec![good(); 1001] }), "data"),
        (json!({ "data": [good()] }), "batch_id"),
        (json!({ "batch_id": 1, "queue_id": -1, "data": [good()] }), "queue_id"),
    ] {
        let answer = client.post(INSERT, body).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
    }
    let many = json!({ "batch_id": 1, "data": vec![with("retry", json!(-1)); 60] });
    let answer = client.post(INSERT, many).await;
    assert_eq!(answer.body["errors"].as_array().map(Vec::len), Some(50), "every broken rule, up to 50");
    let foreign = client.post(INSERT, json!({ "batch_id": 1, "queue_id": 4711, "data": [good()] })).await;
    assert_eq!((foreign.status.as_u16(), &foreign.body["code"]), (404, &json!("NOT_FOUND")));
    stores_nothing(&client).await;
}

#[tokio::test]
async fn what_is_no_json_or_comes_without_a_key_is_refused() {
    let (server, client) = sandbox();
    let post = async |key: &str, content_type: &str, body: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("X-API-KEY", HeaderValue::from_str(key).expect("a key"));
        headers.insert("Content-Type", HeaderValue::from_str(content_type).expect("a type"));
        let request = reqwest::Client::new().post(client.url(INSERT)).headers(headers).body(body.to_owned());
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json::<Value>().await.expect("the error body"))
    };
    let good = json!({ "batch_id": 1, "data": [good()] }).to_string();
    let revoked = revoked_key(&server).await;
    for (key, content_type, body, status, code) in [
        (client.key(), "application/json", "{", 400, "INVALID_ARGUMENT"),
        (client.key(), "application/json", "[]", 400, "INVALID_ARGUMENT"),
        (client.key(), "text/plain", good.as_str(), 415, "INVALID_ARGUMENT"),
        ("tl_live_nonsense", "application/json", good.as_str(), 401, "UNAUTHENTICATED"),
        (revoked.as_str(), "application/json", good.as_str(), 401, "UNAUTHENTICATED"),
        (&server.admin_key(), "application/json", good.as_str(), 403, "PERMISSION_DENIED"),
    ] {
        let (got, answer) = post(key, content_type, body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{answer}");
    }
    let answer = client.post("admin/servers", json!({})).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    stores_nothing(&client).await;
}

async fn revoked_key(server: &Server) -> String {
    let admin = Api::admin(server);
    let clients = admin.get("admin/clients").await.data();
    let id = clients["results"][0]["client_id"].as_i64().expect("a client");
    let key = admin.post(&format!("admin/clients/{id}/keys"), json!({})).await.data();
    let path = format!("admin/clients/{id}/keys/{}", key["key_id"].as_str().expect("an id"));
    assert!(admin.delete(&path).await.data()["revoked_at"].is_string());
    key["api_key"].as_str().expect("a key").to_owned()
}

#[test]
fn a_wrong_configuration_ends_serve_with_one_line_and_exit_code_2() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, value, told) in [
        ("TRUNKLINE_LISTEN", "nowhere", "listen"),
        ("TRUNKLINE_LISTN", "127.0.0.1:0", "listn"),
        ("TRUNKLINE_DATABASE_URL", "mysql://x/y", "database_url"),
        ("TRUNKLINE_DATABASE_URL", "postgres://x/y", "secret_key"),
        ("TRUNKLINE_SECRET_KEY", "short", "secret_key"),
        ("TRUNKLINE_ADMIN_KEY", "short", "admin_key"),
        ("TRUNKLINE_CONFIG", "/nowhere/trunkline.toml", "/nowhere/trunkline.toml"),
        ("TRUNKLINE_LOG", "=,=", "log"),
    ] {
        let mut serve = trunkline();
        serve.arg("serve").env(name, value).env("TRUNKLINE_DATA_DIR", dir.path().join("data"));
        let ended = serve.stdin(Stdio::null()).output().expect("an end");
        assert_eq!(ended.status.code(), Some(2), "{name}={value}: {ended:?}");
        let errors = String::from_utf8_lossy(&ended.stderr);
        let lines: Vec<&str> = errors.lines().filter(|line| line.starts_with("trunkline:")).collect();
        assert!(lines.len() == 1 && lines[0].to_lowercase().contains(told), "{name}={value}: {errors}");
    }
}

/// Returns the ids of the threads of SQLite connections. A closed connection ends its thread.
fn connections(server: &Server) -> BTreeSet<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("the server's threads");
    let paths = tasks.map(|task| task.expect("a thread").path());
    let of_sqlite =
        paths.filter(|path| fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "sqlite"));
    of_sqlite.map(|path| path.file_name().expect("an id").to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn what_is_refused_costs_the_store_no_connection() {
    let (server, client) = sandbox();
    let admin = Api::admin(&server);
    let queue = client.insert(1, vec![good()]).await;
    client.wait_until_completed(queue).await;
    let ended = client.calls(queue).await[0]["call_id"].as_str().expect("an id").to_owned();
    let nobody = uuid::Uuid::nil();
    let before = connections(&server);
    assert!(!before.is_empty());
    for _ in 0..3 {
        client.post(&format!("calls/{nobody}/cancel"), json!({})).await.error(404, "NOT_FOUND");
        client.post(&format!("calls/{ended}/hangup"), json!({})).await.error(409, "FAILED_PRECONDITION");
        client.put("queues/updatequeuemaster/9", json!({ "retry": false })).await.error(404, "NOT_FOUND");
        client.put("queues/9/rules", json!({})).await.error(404, "NOT_FOUND");
        client.delete("clients/do-not-call/12345").await.error(404, "NOT_FOUND");
        admin.delete("admin/do-not-call/12345").await.error(404, "NOT_FOUND");
        admin.delete("admin/servers/elsewhere").await.error(404, "NOT_FOUND");
        admin
            .post("admin/clients", json!({ "name": "sandbox", "account_code": "a" }))
            .await
            .error(409, "ALREADY_EXISTS");
    }
    let after = connections(&server);
    assert!(before.is_subset(&after), "{before:?} became {after:?}");
}
