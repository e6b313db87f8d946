//! Tests the contract's section "Headers".

use reqwest::Method;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const QUICK: &str = "/calling/api/v1/queues/insertquickcall";

fn quick_call(name: &str) -> Value {
    json!({
        "asterisk_server_code": "server1", "customer_name": name, "number1": "1234567890", "number2": "0987654321",
        "action": {"Action": "Originate", "Application": "Dial"},
    })
}

#[tokio::test]
async fn the_same_idempotency_key_and_body_replay_the_first_answer_and_another_body_is_409() {
    let mut sandbox = Sandbox::start();
    let headers = [("content-type", "application/json"), ("idempotency-key", "order 17")];
    let first = sandbox.send(Method::POST, QUICK, &headers, quick_call("Ada").to_string()).await;
    assert_eq!(first.header("idempotent-replayed"), None);
    let call = first.data().clone();

    let again = sandbox.send(Method::POST, QUICK, &headers, format!(" {} ", quick_call("Ada"))).await;
    assert_eq!((again.data(), again.header("idempotent-replayed")), (&call, Some("true")));
    let other = sandbox.send(Method::POST, QUICK, &headers, quick_call("Bob").to_string()).await;
    other.error(409, "ALREADY_EXISTS");
    let unkeyed = sandbox.send(Method::POST, QUICK, &headers[..1], quick_call("Ada").to_string()).await;
    assert_ne!(unkeyed.data(), &call);

    sandbox.server.restart();
    sandbox.api = sandbox.api.at(&sandbox.server);
    let later = sandbox.send(Method::POST, QUICK, &headers, quick_call("Ada").to_string()).await;
    assert_eq!((later.data(), later.header("idempotent-replayed")), (&call, Some("true")));
}

#[tokio::test]
async fn an_idempotency_key_has_1_to_255_characters() {
    let sandbox = Sandbox::start();
    for (key, accepted) in [("k".repeat(255), true), ("k".repeat(256), false), (String::new(), false)] {
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        let reply = sandbox.send(Method::POST, QUICK, &headers, quick_call("Ada").to_string()).await;
        if accepted {
            reply.data();
        } else {
            reply.error(400, "INVALID_ARGUMENT");
            assert_eq!(reply.fields(), ["Idempotency-Key"]);
        }
    }
}

#[tokio::test]
async fn every_answer_carries_x_request_id() {
    let sandbox = Sandbox::start();
    for path in ["/calling/api/v1/clients/test-connection", "/nowhere", "/healthz", "/openapi.json", "/docs", "/"] {
        let reply = sandbox.send(Method::GET, path, &[], "").await;
        assert!(reply.header("x-request-id").is_some_and(|id| !id.is_empty()), "{path}");
        let reply = sandbox.send(Method::GET, path, &[("x-request-id", "mine-1")], "").await;
        assert_eq!(reply.header("x-request-id"), Some("mine-1"), "{path}");
    }
}
