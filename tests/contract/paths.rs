//! Tests the contract's section "Paths".

use reqwest::Method;
use serde_json::Value;

use crate::sandbox::Sandbox;

/// Returns the verb and the path of every operation in `/openapi.json`.
fn operations(document: &Value) -> Vec<(Method, String)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let verbs = item.as_object().unwrap().keys().map(|verb| verb.to_uppercase().parse().unwrap());
        verbs.map(|verb| (verb, path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

#[tokio::test]
async fn each_is_served_under_both_prefixes_with_and_without_a_trailing_slash() {
    let sandbox = Sandbox::start();
    let document = sandbox.send(Method::GET, "/openapi.json", &[], "").await.body;
    let operations = operations(&document);
    assert!(operations.len() > 40, "{operations:?}");
    for (verb, path) in operations {
        let path = path.replace(|c| "{}".contains(c), "");
        for base in ["/calling/api/v1", "/calling/api"] {
            for slash in ["", "/"] {
                // A path that is not served would be 404, with or without a key.
                let reply = sandbox.send_as("", verb.clone(), &format!("{base}{path}{slash}"), &[], "").await;
                reply.error(401, "UNAUTHENTICATED");
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_with_allow_and_an_unknown_path_is_404() {
    let sandbox = Sandbox::start();
    for path in ["/calling/api/v1/queues/insertquickcall/", "/calling/api/queues/insertquickcall"] {
        let reply = sandbox.send(Method::PATCH, path, &[], "").await;
        reply.error(405, "UNIMPLEMENTED");
        assert_eq!(reply.header("allow"), Some("POST"));
    }
    for path in
        ["/calling/api/v1/queue", "/calling/api/v3/queues/getqueues", "/calling/api/v1/queues/getqueues/1/2", "/x"]
    {
        sandbox.send(Method::GET, path, &[], "").await.error(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn head_is_answered_as_get_without_a_body_and_options_to_browsers() {
    let sandbox = Sandbox::start();
    let reply = sandbox.send(Method::HEAD, "/calling/api/v1/clients/test-connection", &[], "").await;
    assert_eq!((reply.status.as_u16(), reply.body), (200, Value::String(String::new())));
    let asked = [("origin", "https://dialer.example"), ("access-control-request-method", "POST")];
    let reply = sandbox.send_as("", Method::OPTIONS, "/calling/api/v1/queues/insertquickcall", &asked, "").await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (200, Some(asked[0].1)));
}
