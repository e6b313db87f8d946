//! Tests watchers over gRPC, gRPC-web and Server-Sent Events: cut and resumed, each sees every event once and in order.

use std::collections::HashMap;

use futures_util::StreamExt;
use prost::Message;
use serde_json::{Value, json};
use tokio_stream::Stream;
use tonic::metadata::MetadataValue;
use trunkline::pb::call_service_client::CallServiceClient;
use trunkline::pb::{CallEvent, CallEventType, CallStatus, WatchCallsRequest, WatchCallsResponse};

use crate::support::api::{Api, item};
use crate::support::server::{Options, Server};

/// How many calls are dialed while all watchers watch.
const CALLS: usize = 300;

/// Numbers that answer, are busy, are congested, do not exist, and lose their response.
const NUMBERS: [&str; 6] = ["1234567890", "4901", "4903", "4904", "4907", "0987654321"];

fn sandbox() -> (Server, Api) {
    let server = Options::default().arg("--sandbox").arg("--sandbox-speed").arg("20").start();
    let client = Api::sandbox(&server);
    (server, client)
}

fn items() -> Vec<Value> {
    (0..CALLS).map(|n| item("server1", &format!("PJSIP/{}@endpoint1", NUMBERS[n % NUMBERS.len()]), "1")).collect()
}

fn is_last(event: &CallEvent) -> bool {
    event.r#type() == CallEventType::QueueUpdated && event.detail.as_deref() == Some("completed")
}

async fn grpc_stream(
    server: &Server,
    client: &Api,
    after: Option<i64>,
) -> impl Stream<Item = WatchCallsResponse> + Unpin + use<> {
    let mut grpc = CallServiceClient::connect(server.url("")).await.expect("a channel");
    let mut request = tonic::Request::new(WatchCallsRequest { after, ..Default::default() });
    request.metadata_mut().insert("x-api-key", MetadataValue::try_from(client.key()).expect("a key"));
    let stream = grpc.watch_calls(request).await.expect("a stream").into_inner();
    Box::pin(stream.map(|message| message.expect("an event")))
}

/// Watches over gRPC from the beginning to the end of the queue, and cancels the stream after every `cut`th event.
async fn watch_grpc(server: &Server, client: &Api, cut: usize) -> Vec<CallEvent> {
    let mut seen: Vec<CallEvent> = Vec::new();
    loop {
        let after = seen.last().map_or(0, |event| event.seq);
        let mut stream = grpc_stream(server, client, Some(after)).await;
        for _ in 0..cut {
            let event = stream.next().await.and_then(|message| message.event).expect("an event");
            let last = is_last(&event);
            seen.push(event);
            if last {
                return seen;
            }
        }
    }
}

/// Watches over Server-Sent Events, and closes the connection after every `cut` bytes, also within an event.
async fn watch_sse(client: &Api, cut: usize) -> Vec<(i64, Value)> {
    let mut seen: Vec<(i64, Value)> = Vec::new();
    loop {
        let mut request =
            reqwest::Client::new().get(client.url("calls/watch?after=0")).header("X-API-KEY", client.key());
        if let Some((id, _)) = seen.last() {
            request = request.header("Last-Event-ID", id.to_string());
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (mut bytes, mut text, mut taken) = (response.bytes_stream(), String::new(), 0);
        while taken < cut {
            let chunk = bytes.next().await.expect("a chunk").expect("a chunk");
            taken += chunk.len();
            text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
            while let Some((event, rest)) = text.split_once("\n\n") {
                let event = sse_event(event);
                text = rest.to_owned();
                let Some((id, data)) = event else { continue };
                let last = data["type"] == "queue-updated" && data["detail"] == "completed";
                seen.push((id, data));
                if last {
                    return seen;
                }
            }
        }
    }
}

fn sse_event(text: &str) -> Option<(i64, Value)> {
    let field = |name| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let data = serde_json::from_str(field("data:")?).expect("JSON");
    Some((field("id:")?.parse().expect("a cursor"), data))
}

#[tokio::test]
async fn watchers_that_are_cut_and_resumed_see_every_transition_once_and_in_order() {
    let (server, client) = sandbox();
    let (grpc, sse, _) =
        tokio::join!(watch_grpc(&server, &client, 61), watch_sse(&client, 7001), client.insert(1, items()),);
    let whole = watch_grpc(&server, &client, usize::MAX).await;
    assert_eq!(grpc, whole);
    assert!(whole.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    let by_sse: Vec<i64> = sse.iter().map(|(id, _)| *id).collect();
    assert_eq!(by_sse, whole.iter().map(|event| event.seq).collect::<Vec<_>>());
    for ((_, data), event) in sse.iter().zip(&whole) {
        assert_eq!(data["call_id"].as_str(), event.call_id.as_deref(), "{data}");
        assert_eq!(data["seq"], json!(event.seq));
    }
    each_call_went_a_way_that_calls_go(&whole);
}

fn each_call_went_a_way_that_calls_go(events: &[CallEvent]) {
    use CallStatus::{Answered, Completed, Dialing, Failed, Ringing};
    let mut ways: HashMap<&str, Vec<CallStatus>> = HashMap::new();
    for event in events {
        if let Some(call) = &event.call_id {
            let way = ways.entry(call).or_default();
            if way.last() != Some(&event.status()) {
                way.push(event.status());
            }
        }
    }
    assert_eq!(ways.len(), CALLS);
    for (call, way) in ways {
        let known: [&[CallStatus]; 4] = [
            &[Dialing, Ringing, Answered, Completed],
            &[Dialing, Answered, Completed],
            &[Dialing, Ringing, Failed],
            &[Dialing, Failed],
        ];
        assert!(known.contains(&way.as_slice()), "{call} went {way:?}");
    }
}

#[tokio::test]
async fn a_stream_without_a_cursor_begins_with_what_lives() {
    let (server, client) = sandbox();
    // The number answers and never hangs up.
    client.insert(1, vec![item("server1", "PJSIP/4906@endpoint1", "1")]).await;
    let mut stream = grpc_stream(&server, &client, Some(0)).await;
    while stream.next().await.and_then(|message| message.event).expect("an event").r#type() != CallEventType::Answered {
    }

    let mut fresh = grpc_stream(&server, &client, None).await;
    let mut next = async || fresh.next().await.and_then(|message| message.event).expect("an event");
    let snapshot = next().await;
    assert_eq!(
        (snapshot.r#type(), snapshot.seq, snapshot.status()),
        (CallEventType::Snapshot, 0, CallStatus::Answered)
    );
    let complete = next().await;
    assert_eq!(complete.r#type(), CallEventType::SnapshotComplete);
    client.insert(2, vec![item("server1", "PJSIP/4901@endpoint1", "1")]).await;
    let first = next().await;
    assert!(first.r#type() == CallEventType::BatchInserted && first.seq > complete.seq, "{first:?}");
}

#[tokio::test]
async fn a_cursor_beyond_the_log_is_out_of_range_over_both() {
    let (server, client) = sandbox();
    let answer = client.get("calls/watch?after=99999999").await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (400, &json!("OUT_OF_RANGE")), "{}", answer.body);
    let mut grpc = CallServiceClient::connect(server.url("")).await.expect("a channel");
    let mut request = tonic::Request::new(WatchCallsRequest { after: Some(99_999_999), ..Default::default() });
    request.metadata_mut().insert("x-api-key", MetadataValue::try_from(client.key()).expect("a key"));
    let code = grpc.watch_calls(request).await.map_or_else(|refused| refused.code(), |_| tonic::Code::Ok);
    assert_eq!(code, tonic::Code::OutOfRange);
}

#[tokio::test]
async fn a_browser_watches_over_grpc_web() {
    let server = Options::default().arg("--sandbox").arg("--sandbox-speed").arg("20");
    let server = server.env("TRUNKLINE_CORS_ORIGINS", "http://localhost:3000,http://dashboard.example").start();
    let client = Api::sandbox(&server);
    client.insert(1, vec![item("server1", "PJSIP/4901@endpoint1", "1")]).await;
    let request = WatchCallsRequest { after: Some(0), ..Default::default() }.encode_to_vec();
    let mut body = vec![0];
    body.extend(u32::try_from(request.len()).expect("a short request").to_be_bytes());
    body.extend(request);
    let response = reqwest::Client::new()
        .post(server.url("/trunkline.v1.CallService/WatchCalls"))
        .header("content-type", "application/grpc-web+proto")
        .header("x-grpc-web", "1")
        .header("origin", "http://dashboard.example")
        .header("x-api-key", client.key())
        .body(body)
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["access-control-allow-origin"], "http://dashboard.example");
    let (mut stream, mut bytes, mut kinds) = (response.bytes_stream(), Vec::new(), Vec::new());
    while !kinds.contains(&CallEventType::Ended) {
        bytes.extend(stream.next().await.expect("a chunk").expect("a chunk"));
        // A frame has one byte of flags, four bytes of length, and the message.
        while let Some((head, rest)) = bytes.split_first_chunk::<5>() {
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let Some(message) = rest.get(..length) else { break };
            assert_eq!(head[0], 0, "a message, no trailers");
            let message = WatchCallsResponse::decode(message).expect("a message");
            kinds.push(message.event.expect("an event").r#type());
            bytes.drain(..5 + length);
        }
    }
    assert_eq!(kinds[..2], [CallEventType::BatchInserted, CallEventType::Dialing]);
}
