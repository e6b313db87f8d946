//! A client that wants every call to be placed once: it repeats each request until it has an answer, and remembers it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use trunkline::pb::call_service_client::CallServiceClient;
use trunkline::pb::{CallEventType, WatchCallsRequest};

use crate::history::{Batch, Client, Quick, StreamEvent};

/// How many calls may be waiting or live at most: enough that some always wait, and not many more.
const AHEAD: usize = 60;

/// The pause between two tries of a request that failed.
const REQUEST_RETRY: Duration = Duration::from_millis(150);

/// How long the client usually waits for an answer.
const PATIENT: Duration = Duration::from_secs(10);

/// How long it sometimes waits, so that it closes the connection and asks again.
const IMPATIENT: Duration = Duration::from_millis(4);

/// A destination that a client can call.
#[derive(Clone, Debug)]
pub struct Destination {
    pub name: &'static str,
    pub channel: &'static str,
    /// The data of the application `Wait`.
    pub seconds: &'static str,
}

/// An application that uses the API.
#[derive(Clone)]
pub struct Caller {
    /// The server's URL, such as `http://127.0.0.1:8080`.
    pub base: String,
    pub key: String,
    pub destinations: Arc<Vec<Destination>>,
    http: reqwest::Client,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    record: Client,
    ended: HashSet<String>,
    accepted: usize,
}

impl Caller {
    pub fn new(base: String, key: String, destinations: Vec<Destination>) -> Self {
        Self { base, key, destinations: Arc::new(destinations), http: reqwest::Client::new(), seen: Arc::default() }
    }

    /// Returns what the API has answered and sent so far.
    pub fn record(&self) -> Client {
        self.lock().record.clone()
    }

    /// Returns how many accepted calls have not ended yet, by the events that the client has received.
    pub fn waiting(&self) -> usize {
        let seen = self.lock();
        seen.accepted.saturating_sub(seen.ended.len())
    }

    /// Inserts calls until it is stopped. It returns when each request has its answer.
    pub async fn insert_calls(self, seed: u64, stop: CancellationToken) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut queue = None;
        let mut number = 0;
        while !stop.is_cancelled() {
            if self.waiting() >= AHEAD {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            number += 1;
            if random.random_bool(0.3) {
                self.place_quick(&format!("quick-{seed}-{number}"), &mut random).await;
            } else {
                // Some batches get a new queue.
                queue = queue.filter(|_| random.random_bool(0.8));
                let into = match queue {
                    Some(queue) => queue,
                    None => self.make_queue(number, &mut random).await,
                };
                queue = Some(into);
                let items = (0..random.random_range(1..=20)).map(|_| self.item(&mut random)).collect();
                self.insert_batch(-number, Some(into), items, &mut random).await;
            }
        }
    }

    /// Makes a queue with a short retry gap. Its first calls are answered, so that none fails before the gap is set.
    async fn make_queue(&self, batch_id: i64, random: &mut StdRng) -> i64 {
        let queue = self.insert_batch(batch_id, None, vec![item(&self.destinations[0]); 2], random).await;
        let rule = json!({ "retry_gap": random.random_range(0..3) });
        self.surely(Method::PUT, &format!("queues/updatequeuemaster/{queue}"), &rule, None, random).await;
        queue
    }

    fn item(&self, random: &mut StdRng) -> Value {
        let destination = &self.destinations[random.random_range(0..self.destinations.len())];
        let mut item = item(destination);
        item["retry"] = json!(random.random_range(0..3));
        item
    }

    /// Sends a batch until it is answered, and returns its queue.
    pub async fn insert_batch(&self, batch_id: i64, queue: Option<i64>, items: Vec<Value>, random: &mut StdRng) -> i64 {
        let count = items.len();
        self.lock().record.batches.insert(batch_id, Batch { items: count as i64, accepted: None });
        let body = json!({ "queue_id": queue, "batch_id": batch_id, "data": items });
        let data = self.surely(Method::POST, "queues/insertdataincallqueue", &body, None, random).await;
        let queue = data["queue_id"].as_i64().expect("a queue's id");
        assert_eq!(data["inserted_count"], count, "{data}");
        let mut seen = self.lock();
        seen.accepted += count;
        seen.record.batches.entry(batch_id).or_default().accepted = Some(queue);
        queue
    }

    async fn place_quick(&self, key: &str, random: &mut StdRng) {
        self.lock().record.quick.insert(key.to_owned(), Quick::default());
        let destination = &self.destinations[0];
        let body = json!({
            "asterisk_server_code": "ast", "customer_name": "Chaos", "create_recording": false,
            "action": {
                "Action": "Originate", "Channel": destination.channel, "Application": "Wait",
                "Data": destination.seconds, "Timeout": 2000,
            },
        });
        let data = self.surely(Method::POST, "queues/insertquickcall", &body, Some(key), random).await;
        let mut seen = self.lock();
        seen.accepted += 1;
        let call = data["call_id"].as_str().expect("a call's id").replace('-', "");
        seen.record.quick.entry(key.to_owned()).or_default().accepted.push(call);
    }

    /// Repeats a request until it succeeds, and returns its data. The server may be dead, full or slow, but not wrong.
    async fn surely(&self, method: Method, path: &str, body: &Value, key: Option<&str>, random: &mut StdRng) -> Value {
        loop {
            let patience = if random.random_bool(0.1) { IMPATIENT } else { PATIENT };
            let url = format!("{}/calling/api/v1/{path}", self.base);
            let request = self.http.request(method.clone(), url);
            let mut request = request.header("X-API-KEY", &self.key).json(body).timeout(patience);
            if let Some(key) = key {
                request = request.header("Idempotency-Key", key);
            }
            if let Ok(response) = request.send().await {
                let status = response.status();
                let answer = response.json::<Value>().await;
                match (status, answer) {
                    (StatusCode::OK, Ok(answer)) => return answer["data"].clone(),
                    // The answer was cut off; the next one will be a replay.
                    (StatusCode::OK, Err(_)) => {}
                    (status, _) if status.is_server_error() => {}
                    (status, answer) => panic!("{path} was refused with {status}: {answer:?}"),
                }
            }
            tokio::time::sleep(REQUEST_RETRY).await;
        }
    }

    /// Reads the stream of events until it is stopped, over every interruption.
    pub async fn watch(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.watch_for_ever() => {}
        }
    }

    async fn watch_for_ever(&self) {
        loop {
            // The next stream continues after the last event, however this one ends.
            drop(self.watch_once().await);
            tokio::time::sleep(REQUEST_RETRY).await;
        }
    }

    async fn watch_once(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut grpc = CallServiceClient::connect(self.base.clone()).await?;
        let after = self.lock().record.events.last().map_or(0, |event| event.seq);
        let mut request = tonic::Request::new(WatchCallsRequest { after: Some(after), ..Default::default() });
        request.metadata_mut().insert("x-api-key", MetadataValue::try_from(&self.key)?);
        let mut events = grpc.watch_calls(request).await?.into_inner();
        while let Some(message) = events.message().await? {
            let Some(event) = message.event else { continue };
            let ended = event.r#type() == CallEventType::Ended;
            let call_id = event.call_id.map(|id| id.replace('-', ""));
            let mut seen = self.lock();
            if let (true, Some(call)) = (ended, &call_id) {
                seen.ended.insert(call.clone());
            }
            seen.record.events.push(StreamEvent { at: Instant::now(), seq: event.seq, call_id, ended });
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes an item for a destination, whose name is stored as the item's project.
pub fn item(destination: &Destination) -> Value {
    json!({
        "asterisk_server_code": "ast", "project": destination.name,
        "action": {
            "Action": "Originate", "Channel": destination.channel, "Application": "Wait",
            "Data": destination.seconds, "Timeout": 2000,
        },
    })
}
