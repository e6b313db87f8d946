//! Runs `serve --sandbox` with the key that it prints, and sends requests whose bytes the test controls.

use std::collections::BTreeSet;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::support::api::Api;
use crate::support::server::{Options, Server};

/// A server with a sandbox that is a hundred times faster than real phones, and its client.
pub struct Sandbox {
    pub server: Server,
    pub api: Api,
}

/// A whole answer of the server.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts that the request succeeded and returns the envelope's `data`.
    #[track_caller]
    pub fn data(&self) -> &Value {
        assert_eq!(self.status, 200, "{}", self.body);
        &self.body["data"]
    }

    /// Asserts that the error body has its form, and returns its message.
    #[track_caller]
    pub fn error(&self, status: u16, code: &str) -> &str {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(names(&self.body), BTreeSet::from(["code", "data", "errors", "message", "status"]));
        assert_eq!((&self.body["status"], &self.body["data"]), (&json!("error"), &Value::Null));
        assert!(self.body["errors"].is_array(), "{}", self.body);
        self.body["message"].as_str().unwrap()
    }

    /// Returns the paths of all broken rules.
    pub fn fields(&self) -> Vec<&str> {
        self.body["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect()
    }
}

impl Sandbox {
    pub fn start() -> Self {
        let server = Options::default().arg("--sandbox").arg("--sandbox-speed").arg("100");
        let server = server.env("TRUNKLINE_CORS_ORIGINS", "https://dialer.example").start();
        let api = Api::sandbox(&server);
        Self { server, api }
    }

    /// Sends a request with the client's key and any other headers.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Reply {
        self.send_as(self.api.key(), method, path, headers, body).await
    }

    /// Sends a request with another key. An empty one is not sent.
    pub async fn send_as(
        &self,
        key: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Reply {
        let mut all = HeaderMap::new();
        if !key.is_empty() {
            all.insert("x-api-key", HeaderValue::from_str(key).unwrap());
        }
        for (name, value) in headers {
            all.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let request = reqwest::Client::new().request(method, self.server.url(path)).headers(all).body(body);
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Reply { status, headers, body }
    }

    /// Posts JSON to a path below `/calling/api/v1/`.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.post_text(path, body.to_string()).await
    }

    pub async fn post_text(&self, path: &str, body: String) -> Reply {
        let headers = [("content-type", "application/json")];
        self.send(Method::POST, &format!("/calling/api/v1/{path}"), &headers, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        let headers = [("content-type", "application/json")];
        self.send(Method::PUT, &format!("/calling/api/v1/{path}"), &headers, body.to_string()).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, &format!("/calling/api/v1/{path}"), &[], "").await
    }

    pub async fn insert(&self, batch: Value) -> Reply {
        self.post("queues/insertdataincallqueue", batch).await
    }

    /// Makes another client with the admin key, and returns the server as that client sees it.
    pub async fn other_client(&self, name: &str, policy: Value) -> Api {
        let body = json!({"name": name, "account_code": name, "servers": ["server1"], "policy": policy});
        let created = Api::admin(&self.server).post("admin/clients", body).await.data();
        Api::new(&self.server, created["api_key"].as_str().unwrap())
    }

    /// Opens a gRPC connection, whose requests get their key from [`Sandbox::grpc`].
    pub async fn channel(&self) -> Channel {
        Channel::from_shared(self.server.url("")).unwrap().connect().await.unwrap()
    }

    /// Makes a gRPC request with the client's key.
    pub fn grpc<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("x-api-key", self.api.key().parse().unwrap());
        request
    }
}

/// Returns the names of an object's members, in any order.
#[track_caller]
pub fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Makes an item that dials a number, whose last two digits decide how the call ends (docs/sandbox.md).
pub fn dials(number: &str) -> Value {
    json!({
        "asterisk_server_code": "server1",
        "action": {
            "Action": "Originate", "Channel": format!("PJSIP/{number}@endpoint1"), "Application": "Wait", "Data": "1",
        },
    })
}

/// Returns `item` with one member changed, at a path of names.
pub fn with(mut item: Value, path: &[&str], value: Value) -> Value {
    let mut at = &mut item;
    for name in path {
        at = &mut at[*name];
    }
    *at = value;
    item
}
