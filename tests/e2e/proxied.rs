//! Tests streams of events through a reverse proxy that knows nothing about them: a real nginx with its defaults.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use prost::Message as _;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::metadata::MetadataValue;
use trunkline::pb::call_service_client::CallServiceClient;
use trunkline::pb::{CallEvent, CallEventType, WatchCallsRequest, WatchCallsResponse};

use crate::support::api::{Api, item};
use crate::support::nginx::Nginx;
use crate::support::proxy::{Proxy, Weather};
use crate::support::server::{Options, Server};
use crate::support::wait::PATIENCE;

/// How long nothing happens. nginx closes a connection on which it receives nothing for 60 s.
const SILENCE: Duration = Duration::from_secs(125);

/// An open stream of events over one of the protocols.
type Events = std::pin::Pin<Box<dyn Stream<Item = CallEvent> + Send>>;

/// A watcher that asks for heartbeats, and leaves the events of calls out.
fn request() -> WatchCallsRequest {
    let types = [CallEventType::BatchInserted, CallEventType::Ended].map(Into::into).to_vec();
    WatchCallsRequest { heartbeat: Some(true), types, ..Default::default() }
}

async fn over_grpc(url: String, client: &Api, request: WatchCallsRequest) -> Events {
    let mut grpc = CallServiceClient::connect(url).await.expect("a channel");
    let mut request = tonic::Request::new(request);
    request.metadata_mut().insert("x-api-key", MetadataValue::try_from(client.key()).expect("a key"));
    let events = grpc.watch_calls(request).await.expect("a stream").into_inner();
    events.map(|message| message.expect("an open stream").event.expect("an event")).boxed()
}

async fn over_grpc_web(nginx: &Nginx, client: &Api) -> Events {
    let request = request().encode_to_vec();
    let mut body = vec![0];
    body.extend(u32::try_from(request.len()).expect("a short request").to_be_bytes());
    body.extend(request);
    let response = reqwest::Client::new()
        .post(nginx.url("/trunkline.v1.CallService/WatchCalls"))
        .header("content-type", "application/grpc-web+proto")
        .header("x-api-key", client.key())
        .body(body)
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), 200);
    split(response, |bytes| {
        // A frame has one byte of flags, four bytes of length, and the message.
        let head = bytes.first_chunk::<5>()?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let frame: Vec<u8> = bytes.get(..5 + length)?.to_vec();
        bytes.drain(..frame.len());
        assert_eq!(frame[0], 0, "a message, no trailers");
        Some(WatchCallsResponse::decode(&frame[5..]).expect("a message").event)
    })
}

/// Server-Sent Events have no heartbeats unless they are asked for: comments keep them open.
async fn over_sse(nginx: &Nginx, client: &Api) -> Events {
    let url = nginx.url("/calling/api/v1/calls/watch?types=batch-inserted&types=ended");
    let response = reqwest::Client::new().get(url).header("X-API-KEY", client.key()).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    split(response, |bytes| {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
        let event: Vec<u8> = bytes.drain(..end + 2).collect();
        let text = String::from_utf8(event).expect("UTF-8");
        let data = text.lines().find_map(|line| line.strip_prefix("data: "));
        Some(data.map(|data| serde_json::from_str(data).expect("an event")))
    })
}

/// Reads the body of an answer, from which `next` takes a whole message. A message may be a comment without an event.
fn split(
    response: reqwest::Response,
    next: impl Fn(&mut Vec<u8>) -> Option<Option<CallEvent>> + Copy + Send + 'static,
) -> Events {
    let body = response.bytes_stream().boxed();
    let messages = stream::unfold((body, Vec::new()), move |(mut body, mut bytes)| async move {
        loop {
            if let Some(message) = next(&mut bytes) {
                return Some((message, (body, bytes)));
            }
            bytes.extend(body.next().await.expect("an open stream").expect("an open stream"));
        }
    });
    messages.filter_map(std::future::ready).boxed()
}

async fn metrics(server: &Server) -> String {
    reqwest::get(server.url("/metrics")).await.expect("an answer").text().await.expect("text")
}

/// Waits for an event of this type, and returns it. It is received while the stream goes on, so the proxy buffers none.
async fn next_of(events: &mut Events, kind: CallEventType) -> CallEvent {
    let found = async {
        loop {
            let event = events.next().await.expect("an open stream");
            if event.r#type() == kind {
                return event;
            }
        }
    };
    timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no {kind:?} was received"))
}

/// Reads a stream while nothing happens, and returns what is received.
async fn silence(events: &mut Events) -> Vec<CallEvent> {
    let (end, mut received) = (Instant::now() + SILENCE, Vec::new());
    while let Ok(event) = timeout_at(end, events.next()).await {
        received.push(event.expect("an open stream"));
    }
    received
}

#[tokio::test]
async fn a_watch_through_nginx_is_live_at_once_and_survives_two_minutes_without_an_event() {
    let server = Options::default().arg("--sandbox").arg("--sandbox-speed").arg("20").start();
    let client = Api::sandbox(&server);
    let Some(nginx) = Nginx::start(&server) else { return };
    let mut watchers = [
        over_grpc(nginx.grpc_url(), &client, request()).await,
        over_grpc_web(&nginx, &client).await,
        over_sse(&nginx, &client).await,
    ];
    for events in &mut watchers {
        next_of(events, CallEventType::SnapshotComplete).await;
    }
    // A fourth has no heartbeats, and its network is lost.
    let network = Proxy::start(server.address().port());
    let lost = over_grpc(format!("http://127.0.0.1:{}", network.port()), &client, WatchCallsRequest::default()).await;
    assert!(metrics(&server).await.contains("\ntrunkline_watchers 4\n"));
    network.set_weather(Weather::Swallow);
    client.insert(1, vec![item("server1", "PJSIP/4901@endpoint1", "1")]).await;
    for events in &mut watchers {
        assert_eq!(next_of(events, CallEventType::BatchInserted).await.batch_id, Some(1));
        next_of(events, CallEventType::Ended).await;
    }

    let [grpc, grpc_web, sse] = &mut watchers;
    let (grpc_beats, grpc_web_beats, from_sse) = tokio::join!(silence(grpc), silence(grpc_web), silence(sse));
    assert!(from_sse.is_empty(), "{from_sse:?}");
    let end = client.get("calls/watch?after=999999999").await.error(400, "OUT_OF_RANGE");
    for beats in [grpc_beats, grpc_web_beats] {
        assert!((7..=9).contains(&beats.len()), "a heartbeat every 15 s: {beats:?}");
        assert!(beats.iter().all(|beat| beat.r#type() == CallEventType::Heartbeat), "{beats:?}");
        // The last event, `queue-updated`, is none that is streamed, and the cursor has moved past it.
        let cursor = beats.last().expect("a heartbeat").seq;
        assert!(end.ends_with(&format!("the last one is {cursor}")), "{end}: {beats:?}");
    }

    assert!(metrics(&server).await.contains("\ntrunkline_watchers 3\n"), "the server noticed who is gone by its pings");
    drop(lost);

    client.insert(2, vec![item("server1", "PJSIP/4901@endpoint1", "1")]).await;
    for events in &mut watchers {
        assert_eq!(next_of(events, CallEventType::BatchInserted).await.batch_id, Some(2));
    }
}
