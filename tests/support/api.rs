//! The server as its users see it: the REST API, and the setup by an administrator.

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::asterisk::{self, Asterisk};
use super::server::Server;
use super::wait;

/// The REST API, used with one key.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    key: String,
    http: Client,
}

/// An answer of the REST API.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// Asserts that the request succeeded and returns the envelope's `data`.
    #[track_caller]
    pub fn data(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        self.body["data"].clone()
    }

    /// Asserts that this is an error with the given HTTP status and code, and returns its message.
    #[track_caller]
    pub fn error(&self, status: u16, code: &str) -> String {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        self.body["message"].as_str().expect("a message").to_owned()
    }

    /// Returns the seconds in `Retry-After`.
    #[track_caller]
    pub fn retry_after(&self) -> u64 {
        let seconds = self.headers.get("retry-after").unwrap_or_else(|| panic!("no Retry-After: {}", self.body));
        seconds.to_str().expect("text").parse().expect("seconds")
    }
}

impl Api {
    pub fn new(server: &Server, key: &str) -> Self {
        Self { base: server.url("/calling/api/v1/"), key: key.to_owned(), http: Client::new() }
    }

    /// Uses the client that `serve --sandbox` makes, with the key that it prints.
    pub fn sandbox(server: &Server) -> Self {
        let key = wait::until("the sandbox prints its key", || {
            let text = server.output().text();
            text.lines().find_map(|line| line.trim().strip_prefix("API key")).map(|key| key.trim().to_owned())
        });
        Self::new(server, &key)
    }

    pub fn admin(server: &Server) -> Self {
        Self::new(server, &server.admin_key())
    }

    /// Uses the same key with a server that was restarted on another port.
    pub fn at(&self, server: &Server) -> Self {
        Self::new(server, &self.key)
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.http.request(method, self.url(path)).header("X-API-KEY", &self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("a body");
        // A stream of events is kept as it is.
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// Inserts a batch into a new queue and returns the queue's id.
    pub async fn insert(&self, batch_id: i64, items: Vec<Value>) -> i64 {
        let batch = json!({ "batch_id": batch_id, "data": items });
        self.post("queues/insertdataincallqueue", batch).await.data()["queue_id"].as_i64().expect("a queue's id")
    }

    /// Returns all calls of a queue.
    pub async fn calls(&self, queue_id: i64) -> Vec<Value> {
        let mut calls = Vec::new();
        for page in 1.. {
            let path = format!("queues/getqueues?master_queue_id={queue_id}&page={page}&page_size=500");
            let data = self.get(&path).await.data();
            let results = data["results"].as_array().expect("a list").clone();
            calls.extend(results);
            if calls.len() as i64 >= data["count"].as_i64().expect("a count") {
                break;
            }
        }
        calls
    }

    /// Returns a queue as it is shown in the list of queues.
    pub async fn queue(&self, queue_id: i64) -> Value {
        let data = self.get("queues/getmasterqueues?page_size=1000").await.data();
        let found = data["results"].as_array().expect("a list").iter().find(|queue| queue["queue_id"] == queue_id);
        found.expect("the queue is listed").clone()
    }

    /// Waits until every call of a queue has ended.
    pub async fn wait_until_completed(&self, queue_id: i64) -> Value {
        wait::until_async("every call has ended", async || {
            Some(self.queue(queue_id).await).filter(|queue| queue["queue_status"] == "completed")
        })
        .await
    }
}

/// Adds the server `ast`, which dials through `asterisk`, and returns a client that may dial all its contexts.
pub async fn client_of_asterisk(server: &Server, asterisk: &Asterisk, calls_per_second: f64) -> Api {
    let settings = json!({
        "code": "ast", "host": "127.0.0.1", "port": asterisk.ami_port(), "username": "dialer",
        "secret": asterisk::SECRET, "dial_template": "PJSIP/{number}", "max_channels": 100,
        "calls_per_second": calls_per_second, "recording_dirs": [asterisk::RECORDINGS],
    });
    client_of(server, settings).await
}

/// Adds a server with these settings, waits until it is online, and returns a client that may dial through it.
pub async fn client_of(server: &Server, settings: Value) -> Api {
    let admin = Api::admin(server);
    let code = settings["code"].as_str().expect("a code").to_owned();
    admin.post("admin/servers", settings).await.data();
    wait_until_online(&admin, &code).await;
    let client = json!({
        "name": "tests", "account_code": "acme", "servers": [code],
        "policy": {
            "technologies": ["Local", "PJSIP"],
            "contexts": ["answer", "fast", "talk", "slow", "busy", "congestion", "noanswer", "unallocated", "nowhere", "report", "tone"],
            "applications": ["Dial", "Wait", "NoOp"],
        },
    });
    let created = admin.post("admin/clients", client).await.data();
    Api::new(server, created["api_key"].as_str().expect("a key"))
}

pub async fn wait_until_online(admin: &Api, code: &str) {
    wait::until_async("the lane is online", async || {
        let server = admin.get(&format!("admin/servers/{code}")).await.data();
        (server["status"] == "online").then_some(())
    })
    .await;
}

/// Makes an item that dials `channel` through `server` and runs `Wait` for `seconds`.
pub fn item(server: &str, channel: &str, seconds: &str) -> Value {
    json!({
        "asterisk_server_code": server,
        "action": { "Action": "Originate", "Channel": channel, "Application": "Wait", "Data": seconds },
    })
}
