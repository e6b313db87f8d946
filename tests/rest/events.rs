//! Tests `calls/watch` of the contract: Server-Sent Events that are resumed by a cursor.

use axum::body::Body;
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, Method, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tonic::Status;
use tower::ServiceExt as _;
use trunkline::api::Error;
use trunkline::pb::call_service_client::CallServiceClient;
use trunkline::pb::{
    CallEvent, CallEventType, CallStatus, GetCallRequest, StreamItemsRequest, Timestamp, WatchCallsRequest,
    WatchCallsResponse,
};

use crate::requests::{GRPC, GRPC_WEB};
use crate::support::App;

const WATCH: &str = "/calling/api/v1/calls/watch";

fn event(seq: i64, r#type: CallEventType) -> Result<WatchCallsResponse, Status> {
    let event = CallEvent {
        seq,
        at: Some(Timestamp { seconds: 1_735_689_599, nanos: 250_000_000 }),
        r#type: r#type.into(),
        call_id: Some("c-1".to_owned()),
        queue_id: 123,
        status: Some(CallStatus::Ringing.into()),
        ..CallEvent::default()
    };
    Ok(WatchCallsResponse { event: Some(event) })
}

impl App {
    fn streams(&self, events: Vec<Result<WatchCallsResponse, Status>>) {
        *self.recorder.events.lock().unwrap() = Some(stream::iter(events).boxed());
    }

    fn watch(&self, query: &str) -> Request<Body> {
        self.request(Method::GET, &format!("{WATCH}{query}"), Body::empty())
    }

    /// Returns the cursor from which the service was asked to resume.
    fn asked_after(&self) -> Option<i64> {
        self.recorder.watch.lock().unwrap().as_ref().and_then(|request| request.after)
    }
}

#[tokio::test]
async fn each_message_is_an_event_whose_id_is_the_cursor() {
    let app = App::new();
    app.streams(vec![event(0, CallEventType::Snapshot), event(9_007_199_254_740_993, CallEventType::Ringing)]);
    let answer = app.send(app.watch("?queue_id=123")).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("text/event-stream")));
    let rest = r#""at":"2024-12-31T23:59:59.250Z","type":"TYPE","call_id":"c-1","queue_id":123,"status":"ringing"}"#;
    let snapshot = format!("data: {{\"seq\":0,{}\n\n", rest.replace("TYPE", "snapshot"));
    let ringing =
        format!("id: 9007199254740993\ndata: {{\"seq\":9007199254740993,{}\n\n", rest.replace("TYPE", "ringing"));
    assert_eq!(answer.text(), snapshot + &ringing);
}

#[tokio::test]
async fn proxies_are_told_not_to_buffer_a_stream_whatever_its_protocol() {
    let app = App::new();
    let message = WatchCallsRequest::default();
    for request in [
        app.watch(""),
        app.rpc("CallService/WatchCalls", GRPC, &message),
        app.rpc("CallService/WatchCalls", GRPC_WEB, &message),
        app.rpc("QueueService/StreamItems", GRPC, &StreamItemsRequest::default()),
    ] {
        let path = request.uri().path().to_owned();
        let response = app.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers().get("x-accel-buffering").unwrap(), "no", "{path}");
    }
    let unary = app.send(app.rpc("CallService/GetCall", GRPC, &GetCallRequest::default())).await;
    assert_eq!(unary.header("x-accel-buffering"), None);
}

#[tokio::test]
async fn a_list_in_the_query_is_one_parameter_for_each_element() {
    let app = App::new();
    let query = "?queue_ids=1&queue_ids=9007199254740993&queue_ids=&types=ended&types=queue-updated&heartbeat=true";
    app.send(app.watch(query)).await;
    let asked = app.recorder.watch.lock().unwrap().clone().unwrap();
    assert_eq!(asked.queue_ids, [1, 9_007_199_254_740_993]);
    assert_eq!(asked.types, [CallEventType::Ended, CallEventType::QueueUpdated].map(i32::from));
    assert_eq!((asked.heartbeat, asked.queue_id), (Some(true), None));
    let answer = app.send(app.watch("?queue_ids=1&queue_ids=x&types=over")).await;
    answer.error(400, "INVALID_ARGUMENT");
    let fields: Vec<Value> =
        answer.json()["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(fields, ["queue_ids[1]", "types[0]"]);
}

#[tokio::test]
async fn the_last_event_id_goes_before_after() {
    let app = App::new();
    app.send(app.watch("?after=5")).await;
    assert_eq!(app.asked_after(), Some(5));
    for query in ["?after=5", ""] {
        let mut request = app.watch(query);
        request.headers_mut().insert("last-event-id", HeaderValue::from_static("9007199254740993"));
        app.send(request).await;
        assert_eq!(app.asked_after(), Some(9_007_199_254_740_993), "{query}");
    }
    app.send(app.watch("")).await;
    assert_eq!(app.asked_after(), None);
}

#[tokio::test]
async fn a_last_event_id_that_is_no_cursor_is_refused() {
    let app = App::new();
    let mut request = app.watch("");
    request.headers_mut().insert("last-event-id", HeaderValue::from_static("abc"));
    assert_eq!(app.send(request).await.violation(), "Last-Event-ID: expected an integer");
}

#[tokio::test]
async fn an_error_before_the_first_event_is_an_http_error() {
    let app = App::new();
    app.streams(vec![Err(Error::OutOfRange("the cursor is too old".to_owned()).into())]);
    app.send(app.watch("?after=1")).await.error(400, "OUT_OF_RANGE");
    *app.recorder.fail.lock().unwrap() = Some(|| Error::NotFound("queue 5".to_owned()));
    app.send(app.watch("?queue_id=5")).await.error(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_later_error_is_the_last_event() {
    let app = App::new();
    let lost = || Err(Error::OutOfRange("fell behind".to_owned()).into());
    app.streams(vec![event(1, CallEventType::Dialing), lost(), event(2, CallEventType::Ringing)]);
    let text = app.send(app.watch("")).await.text();
    let (_, last) = text.trim_end().rsplit_once("\n\n").unwrap();
    let body = r#"{"message":"fell behind","status":"error","code":"OUT_OF_RANGE","errors":[],"data":null}"#;
    assert_eq!(last, format!("event: error\ndata: {body}"));
}

#[tokio::test(start_paused = true)]
async fn an_idle_stream_answers_at_once_and_keeps_alive() {
    let app = App::new();
    *app.recorder.events.lock().unwrap() = Some(stream::pending().boxed());
    let mut request = app.watch("");
    request.headers_mut().insert("accept-encoding", HeaderValue::from_static("gzip"));
    let response = app.router.clone().oneshot(request).await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers().get("content-encoding")), (200, None));
    let mut body = response.into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), ":\n\n");
}

#[tokio::test]
async fn an_event_arrives_while_the_stream_goes_on() {
    let app = App::new();
    let events = stream::iter([event(1, CallEventType::Dialing)]).chain(stream::pending());
    *app.recorder.events.lock().unwrap() = Some(events.boxed());
    let response = app.router.clone().oneshot(app.watch("")).await.unwrap();
    let frame = response.into_body().frame().await.unwrap().unwrap();
    assert!(frame.into_data().unwrap().starts_with(b"id: 1\ndata: {"));
}

#[tokio::test]
async fn the_same_stream_comes_over_grpc_message_by_message() {
    let app = App::new();
    let events = stream::iter([event(0, CallEventType::Snapshot), event(1, CallEventType::Dialing)]);
    *app.recorder.events.lock().unwrap() = Some(events.chain(stream::pending()).boxed());
    let mut request = tonic::Request::new(WatchCallsRequest { after: Some(5), ..WatchCallsRequest::default() });
    request.metadata_mut().insert("x-api-key", app.key.parse().unwrap());
    let answer = CallServiceClient::new(app.router.clone()).watch_calls(request).await.unwrap();
    let mut messages = answer.into_inner();
    for seq in [0, 1] {
        assert_eq!(messages.message().await.unwrap().unwrap().event.unwrap().seq, seq);
    }
    assert_eq!(app.asked_after(), Some(5));
}
