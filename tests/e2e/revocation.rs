//! Tests that a revoked or expired key, a disabled client and the kill switch take effect within a second, on every node
//! and for open streams too.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};
use trunkline::pb::call_service_client::CallServiceClient;
use trunkline::pb::queue_service_client::QueueServiceClient;
use trunkline::pb::stream_items_request::Part;
use trunkline::pb::{CallEvent, CallEventType, StreamBegin, StreamItemsRequest, WatchCallsRequest};

use crate::queues::{NEVER_HANGS_UP, item, on_postgres};
use crate::support::api::{Api, wait_until_online};
use crate::support::postgres::Postgres;
use crate::support::server::{Options, Server};
use crate::support::wait;

/// The bound that operators are promised.
const A_SECOND: Duration = Duration::from_secs(1);

/// The end of a stream: when it was seen, the code, and the text.
type End = (Instant, Code, String);

/// The admin key of all nodes.
const ADMIN_KEY: &str = "an admin key of two nodes";

/// One node, or two on one PostgreSQL. The first has the streams, and changes are made on the other.
struct Nodes {
    first: Server,
    second: Option<Server>,
    _postgres: Option<Postgres>,
}

impl Nodes {
    /// Starts one node with SQLite.
    fn one() -> Self {
        let first = Options::default().arg("--sandbox").env("TRUNKLINE_ADMIN_KEY", ADMIN_KEY).start();
        Self { first, second: None, _postgres: None }
    }

    /// Starts two nodes, or none if there is no PostgreSQL.
    fn two() -> Option<Self> {
        let mut postgres = Postgres::start()?;
        let database = postgres.create_database();
        let first = on_postgres(&database).env("TRUNKLINE_ADMIN_KEY", ADMIN_KEY).start();
        let second = Options::default()
            .env("TRUNKLINE_ADMIN_KEY", ADMIN_KEY)
            .env("TRUNKLINE_DATABASE_URL", &database)
            .env("TRUNKLINE_SECRET_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
            .start();
        Some(Self { first, second: Some(second), _postgres: Some(postgres) })
    }

    /// Returns the node on which changes are made.
    fn other(&self) -> &Server {
        self.second.as_ref().unwrap_or(&self.first)
    }
}

fn with_key<T>(client: &Api, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-api-key", MetadataValue::try_from(client.key()).expect("a key"));
    request
}

/// Opens `calls/watch` over gRPC, and returns what waits for its end.
async fn watched_by_grpc(server: &Server, client: &Api) -> BoxFuture<'static, End> {
    let mut grpc = CallServiceClient::connect(server.url("")).await.expect("a channel");
    let mut events =
        grpc.watch_calls(with_key(client, WatchCallsRequest::default())).await.expect("a stream").into_inner();
    async move {
        loop {
            match events.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended without an error"),
                Err(status) => return (Instant::now(), status.code(), status.message().to_owned()),
            }
        }
    }
    .boxed()
}

/// Opens `calls/watch` as Server-Sent Events, and returns what waits for its end.
async fn watched_by_sse(client: &Api) -> BoxFuture<'static, End> {
    let request = reqwest::Client::new().get(client.url("calls/watch")).header("X-API-KEY", client.key());
    let response = request.send().await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    async move {
        let text = response.text().await.expect("the rest of the stream");
        let ended = Instant::now();
        let (_, last) = text.rsplit_once("event: error\ndata: ").expect("the last event is an error");
        let body: Value = serde_json::from_str(last.trim_end()).expect("the error body");
        let code = if body["code"] == "UNAUTHENTICATED" { Code::Unauthenticated } else { Code::PermissionDenied };
        (ended, code, body["message"].as_str().expect("a text").to_owned())
    }
    .boxed()
}

/// Begins a stream of items, and returns what waits for its end.
async fn items_sent(server: &Server, client: &Api) -> BoxFuture<'static, End> {
    let mut grpc = QueueServiceClient::connect(server.url("")).await.expect("a channel");
    let (to, items) = mpsc::channel(4);
    let mut answers =
        grpc.stream_items(with_key(client, ReceiverStream::new(items))).await.expect("a stream").into_inner();
    let begin = StreamBegin { stream_id: "load".to_owned(), ..StreamBegin::default() };
    to.send(StreamItemsRequest { part: Some(Part::Begin(begin)) }).await.expect("a server");
    answers.message().await.expect("an answer").expect("an answer");
    async move {
        let end: Status = answers.message().await.expect_err("the stream ends with an error");
        let ended = Instant::now();
        // The server reads no further message, so that the sender learns that nobody takes them.
        tokio::time::timeout(wait::PATIENCE, to.closed()).await.expect("the server stops reading");
        (ended, end.code(), end.message().to_owned())
    }
    .boxed()
}

/// A way in which a key ends.
#[derive(Clone, Copy, Debug)]
enum Way {
    Revoked,
    Expired,
    Disabled,
}

/// Makes a key for the sandbox's client at the other node, opens all streams at the first node, ends the key, and checks
/// that everything ends within a second.
async fn streams_end(nodes: &Nodes, way: Way) {
    let admin = Api::new(nodes.other(), ADMIN_KEY);
    let made =
        admin.post("admin/clients", json!({ "name": format!("{way:?}"), "account_code": "1", "servers": ["server1"] }));
    let client_id = made.await.data()["client_id"].as_i64().expect("an id");
    let keys = format!("admin/clients/{client_id}/keys");
    let expires_at = Timestamp::now() + SignedDuration::from_secs(3);
    let body = if matches!(way, Way::Expired) { json!({ "expires_at": expires_at.to_string() }) } else { json!({}) };
    let key = admin.post(&keys, body).await.data();
    let client = Api::new(&nodes.first, key["api_key"].as_str().expect("a key"));

    let open = vec![
        watched_by_grpc(&nodes.first, &client).await,
        watched_by_sse(&client).await,
        items_sent(&nodes.first, &client).await,
    ];
    let ends = tokio::spawn(join_all(open));
    let elsewhere = client.at(nodes.other());
    for served in [&client, &elsewhere] {
        assert_eq!(served.get("clients/test-connection").await.status, 200);
    }
    match way {
        Way::Revoked => {
            admin.delete(&format!("{keys}/{}", key["key_id"].as_str().expect("an id"))).await.data();
        }
        Way::Disabled => {
            admin.patch(&format!("admin/clients/{client_id}"), json!({ "disabled": true })).await.data();
        }
        Way::Expired => {
            assert!(Timestamp::now() < expires_at, "the key expired before its streams were open");
            let left = Timestamp::now().duration_until(expires_at);
            tokio::time::sleep(left.try_into().expect("a time to come")).await;
        }
    }
    let ended = Instant::now();
    let refused = [&client, &elsewhere].map(|client| async move {
        let refused = |status: u16| status == 401 || status == 403;
        wait::until_async("the key is refused", async || {
            refused(client.get("clients/test-connection").await.status.as_u16()).then_some(())
        })
        .await;
        ended.elapsed()
    });
    for after in join_all(refused).await {
        assert!(after < A_SECOND, "{way:?}: the key was refused after {after:?}");
    }
    let (code, text) = match way {
        Way::Revoked => (Code::Unauthenticated, "the API key was revoked"),
        Way::Expired => (Code::Unauthenticated, "the API key has expired"),
        Way::Disabled => (Code::PermissionDenied, "the client is disabled"),
    };
    for (at, found, message) in ends.await.expect("every stream ends") {
        assert_eq!((found, message.as_str()), (code, text), "{way:?}");
        assert!(at - ended < A_SECOND, "{way:?}: a stream ended after {:?}", at - ended);
    }
}

async fn every_way_ends_the_streams(nodes: &Nodes) {
    for way in [Way::Revoked, Way::Expired, Way::Disabled] {
        streams_end(nodes, way).await;
    }
}

#[tokio::test]
async fn the_streams_of_a_key_end_within_a_second_after_it_with_sqlite() {
    every_way_ends_the_streams(&Nodes::one()).await;
}

#[tokio::test]
async fn the_streams_of_a_key_end_within_a_second_on_another_node() {
    let Some(nodes) = Nodes::two() else { return };
    every_way_ends_the_streams(&nodes).await;
}

#[tokio::test]
async fn an_administrators_streams_end_with_the_key_and_those_of_other_keys_do_not() {
    let nodes = Nodes::one();
    let bootstrap = Api::new(&nodes.first, ADMIN_KEY);
    let made = bootstrap.post("admin/keys", json!({ "name": "alice" })).await.data();
    let alice = Api::new(&nodes.first, made["api_key"].as_str().expect("a key"));
    let client = Api::sandbox(&nodes.first);
    let (of_alice, mut of_client, mut of_bootstrap) = (
        watched_by_grpc(&nodes.first, &alice).await,
        watched_by_grpc(&nodes.first, &client).await,
        watched_by_grpc(&nodes.first, &bootstrap).await,
    );
    bootstrap.delete(&format!("admin/keys/{}", made["key_id"].as_str().expect("an id"))).await.data();
    let revoked = Instant::now();
    let (at, code, text) = of_alice.await;
    assert_eq!((code, text.as_str()), (Code::Unauthenticated, "the API key was revoked"));
    assert!(at - revoked < A_SECOND, "the stream ended after {:?}", at - revoked);
    assert!((&mut of_client).now_or_never().is_none() && (&mut of_bootstrap).now_or_never().is_none());
}

/// Returns the events after a cursor, which the stream has without waiting.
async fn events_until(server: &Server, client: &Api, after: i64, last: impl Fn(&CallEvent) -> bool) -> Vec<CallEvent> {
    let mut grpc = CallServiceClient::connect(server.url("")).await.expect("a channel");
    let request = with_key(client, WatchCallsRequest { after: Some(after), ..Default::default() });
    let mut stream = grpc.watch_calls(request).await.expect("a stream").into_inner();
    let mut events = Vec::new();
    while let Some(message) = stream.next().await {
        let event = message.expect("an event").event.expect("an event");
        let is_last = last(&event);
        events.push(event);
        if is_last {
            break;
        }
    }
    events
}

/// Returns the cursor of now.
async fn cursor(server: &Server, client: &Api) -> i64 {
    let mut grpc = CallServiceClient::connect(server.url("")).await.expect("a channel");
    let mut stream =
        grpc.watch_calls(with_key(client, WatchCallsRequest::default())).await.expect("a stream").into_inner();
    loop {
        let event = stream.message().await.expect("an event").expect("an event").event.expect("an event");
        if event.r#type() == CallEventType::SnapshotComplete {
            return event.seq;
        }
    }
}

#[tokio::test]
async fn the_kill_switch_stops_the_dialing_of_another_node_at_once() {
    let Some(nodes) = Nodes::two() else { return };
    let client = Api::sandbox(&nodes.first);
    let (here, there) = (Api::new(&nodes.first, ADMIN_KEY), Api::new(nodes.other(), ADMIN_KEY));
    wait_until_online(&here, "server1").await;
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP); 150]).await;
    wait::until_async("calls are being dialed", async || {
        let counts = client.queue(queue).await["counts"].clone();
        (counts["queued"].as_i64() < Some(145)).then_some(())
    })
    .await;

    there.post("admin/kill-switch", json!({ "engaged": true, "reason": "a test" })).await.data();
    // Whatever is dialed from now on has a greater cursor.
    let engaged = cursor(&nodes.first, &client).await;
    let waiting = client.queue(queue).await["counts"]["queued"].as_i64().expect("a count");
    assert!(waiting > 0, "all calls were dialed before the switch was engaged");
    let answered = Instant::now();
    wait::until_async("the lane says that the kill switch is engaged", async || {
        let reasons = client.get(&format!("queues/{queue}/explain")).await.data().to_string();
        (reasons.contains("kill-switch") && answered.elapsed() > A_SECOND).then_some(())
    })
    .await;
    assert_eq!(client.queue(queue).await["counts"]["queued"], waiting, "a call was dialed within the next second");

    let released = here.post("admin/kill-switch", json!({ "engaged": false })).await.data();
    let released: Timestamp = released["changed_at"].as_str().expect("a time").parse().expect("a time");
    let events = events_until(&nodes.first, &client, engaged, |event| event.r#type() == CallEventType::Dialing).await;
    let at = events.last().and_then(|event| event.at).expect("a call is dialed after the release");
    assert!(Timestamp::try_from(at).expect("a time") >= released, "a call was dialed while the switch was engaged");
}
