//! Tests webhooks as their receivers see them, with real HTTP and a real server that is killed and restarted.

mod changes;
mod dead_letters;
mod delivery;
mod doors;
mod secrets;

use std::collections::HashSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::StreamExt;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::api::{Api, item};
use crate::support::server::Options;
use crate::support::wait;

/// What every receiver writes into the bodies of its answers.
const ANSWERED: &str = "of-no-concern ";

/// A POST as the receiver got it.
#[derive(Clone, Debug)]
struct Post {
    id: String,
    timestamp: String,
    signature: String,
    body: Bytes,
    /// The status with which it was answered.
    status: u16,
}

impl Post {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    fn seq(&self) -> i64 {
        self.json()["seq"].as_i64().expect("a number")
    }

    /// Returns the signature as specified: HMAC-SHA256 of `id.timestamp.body` with the secret, decoded from base64.
    fn signature_by(&self, secret: &str) -> String {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
        mac.update(format!("{}.{}.", self.id, self.timestamp).as_bytes());
        mac.update(&self.body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }

    fn is_signed_with(&self, secret: &str) -> bool {
        self.signature == self.signature_by(secret)
    }
}

/// A receiver that answers with the status that the test sets.
#[derive(Clone, Default)]
struct Receiver {
    posts: Arc<Mutex<Vec<Post>>>,
    status: Arc<AtomicU16>,
}

impl Receiver {
    /// Starts a receiver that answers `status`, and returns it with its URL.
    async fn start(status: u16) -> (Self, String) {
        let receiver = Self { posts: Arc::default(), status: Arc::new(AtomicU16::new(status)) };
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let url = format!("http://{}/hook?token=t0ken", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, url)
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the `seq` of each accepted event once, in the order in which they were first received.
    fn taken(&self) -> Vec<i64> {
        let mut seen = HashSet::new();
        let posts = self.posts();
        let taken = posts.iter().filter(|post| post.status == 200).map(Post::seq);
        taken.filter(|seq| seen.insert(*seq)).collect()
    }

    async fn wait_until_taken(&self, events: &[i64]) {
        wait::until_async("every event is accepted", async || (self.taken().last() >= events.last()).then_some(()))
            .await;
        assert_eq!(self.taken(), events);
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let status = receiver.status.load(Ordering::SeqCst);
    let post = Post {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body,
        status,
    };
    receiver.posts.lock().unwrap_or_else(PoisonError::into_inner).push(post);
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [("location", "http://127.0.0.1:1/elsewhere")], ANSWERED.repeat(10)).into_response()
}

/// A server with a sandbox, on which webhooks have the settings that are their default.
fn closed_sandbox() -> Options {
    Options::default().arg("--sandbox").arg("--sandbox-speed").arg("50")
}

/// A server with a sandbox, on which webhooks may post to the receivers of these tests.
fn sandbox() -> Options {
    opened(closed_sandbox())
}

/// Permits webhooks to post to the receivers of these tests.
fn opened(options: Options) -> Options {
    options.env("TRUNKLINE_WEBHOOK_HTTP", "true").env("TRUNKLINE_WEBHOOK_NETWORKS", "127.0.0.0/8")
}

fn items(calls: usize) -> Vec<Value> {
    let numbers = ["1234567890", "4901", "4904"];
    (0..calls).map(|n| item("server1", &format!("PJSIP/{}@endpoint1", numbers[n % 3]), "1")).collect()
}

async fn sandbox_client(admin: &Api) -> i64 {
    let clients = admin.get("admin/clients").await.data();
    let found = clients["results"].as_array().expect("a list").iter().find(|client| client["name"] == "sandbox");
    found.expect("the sandbox's client")["client_id"].as_i64().expect("an id")
}

/// Makes a webhook for the sandbox's client.
async fn webhook(admin: &Api, url: &str, events: Value) -> Value {
    let client_id = sandbox_client(admin).await;
    admin.post("admin/webhooks", json!({ "client_id": client_id, "url": url, "events": events })).await.data()
}

async fn listed(admin: &Api, id: &Value) -> Value {
    let all = admin.get("admin/webhooks").await.data();
    let found = all["results"].as_array().expect("a list").iter().find(|webhook| webhook["webhook_id"] == *id);
    found.expect("the webhook is listed").clone()
}

/// Returns the client's events from a stream, up to the one that completes the queue.
async fn watched(client: &Api, queue: i64) -> Vec<Value> {
    let request = reqwest::Client::new().get(client.url("calls/watch?after=0")).header("X-API-KEY", client.key());
    let mut stream = request.send().await.expect("an answer").bytes_stream();
    let (mut text, mut events) = (Vec::new(), Vec::<Value>::new());
    loop {
        text.extend(stream.next().await.expect("a chunk").expect("a chunk"));
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            if let Some(data) = line.strip_prefix(b"data:") {
                events.push(serde_json::from_slice(data).expect("JSON"));
            }
            let last = events.last();
            if last.is_some_and(|event| event["queue_id"] == queue && event["detail"] == "completed") {
                return events;
            }
        }
    }
}

fn seqs(events: &[Value]) -> Vec<i64> {
    events.iter().map(|event| event["seq"].as_i64().expect("a number")).collect()
}

/// Runs the Python of `docs/webhooks.md` on a POST that was received, and on one that was tampered with.
fn documented_code_verifies(secret: &str, post: &Post) {
    let guide = include_str!("../../../docs/webhooks.md");
    let code =
        guide.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("Python in the guide");
    let verdict = |body: &[u8]| {
        let call = "\nimport sys\nverify(sys.argv[1], dict(zip(('webhook-id', 'webhook-timestamp', 'webhook-signature'), \
                    sys.argv[2:])), sys.stdin.buffer.read())\n";
        let mut python = Command::new("python3")
            .args(["-c", &format!("{code}{call}"), secret, &post.id, &post.timestamp, &post.signature])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Python");
        python.stdin.take().expect("a pipe").write_all(body).expect("a reader");
        let output = python.wait_with_output().expect("an end");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (verified, complaint) = verdict(&post.body);
    assert!(verified, "{complaint}");
    let (verified, complaint) = verdict(b"{}");
    assert!(!verified && complaint.contains("ValueError"), "{complaint}");
}
