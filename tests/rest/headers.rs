//! Tests the contract's section "Headers", and compression.

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use http::{HeaderValue, Method};
use trunkline::api::auth::CallerKind;

use crate::support::{App, BODIES, CLIENT, INSERT, ORIGIN, PANICS, REPLAYED};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_body_needs_the_content_type_of_json() {
    let app = App::new();
    for accepted in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        let mut request = app.request(Method::POST, INSERT, "{}");
        request.headers_mut().insert("content-type", HeaderValue::from_static(accepted));
        assert_eq!(app.send(request).await.status, 200, "{accepted}");
    }
    for refused in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let mut request = app.request(Method::POST, INSERT, "{}");
        request.headers_mut().insert("content-type", HeaderValue::from_static(refused));
        let message = app.send(request).await.error(415, "INVALID_ARGUMENT");
        assert_eq!(message, "Content-Type must be application/json", "{refused}");
    }
    let mut request = app.request(Method::POST, INSERT, "{}");
    request.headers_mut().remove("content-type");
    app.send(request).await.error(415, "INVALID_ARGUMENT");
}

#[tokio::test]
async fn the_callers_request_id_comes_back_and_an_answer_always_has_one() {
    let app = App::new();
    let mut request = app.request(Method::POST, INSERT, "{}");
    request.headers_mut().insert("x-request-id", HeaderValue::from_static("batch-17"));
    assert_eq!(app.send(request).await.header("x-request-id"), Some("batch-17"));
    let mut request = app.request(Method::GET, "/nowhere", "");
    request.headers_mut().insert("x-request-id", HeaderValue::from_static("two words"));
    let answer = app.send(request).await;
    assert_eq!(answer.header("x-request-id").map(str::len), Some(36));
}

#[tokio::test]
async fn headers_reach_the_service_as_metadata_but_never_the_key() {
    let app = App::new();
    let mut request = app.request(Method::POST, INSERT, "{}");
    request.headers_mut().insert("idempotency-key", HeaderValue::from_static("k-1"));
    app.send(request).await;
    let metadata = app.recorder.metadata.lock().unwrap();
    assert_eq!(metadata.get("idempotency-key").unwrap(), "k-1");
    assert!(metadata.get("x-api-key").is_none());
}

#[tokio::test]
async fn a_replay_says_so_in_a_header() {
    let app = App::new();
    let answer = app.insert(format!(r#"{{"batch_id": {REPLAYED}}}"#)).await;
    assert_eq!(answer.header("idempotent-replayed"), Some("true"));
    assert_eq!(app.insert(r#"{"batch_id": 1}"#).await.header("idempotent-replayed"), None);
}

#[tokio::test]
async fn gzip_is_understood_both_ways() {
    let app = App::new();
    let mut request = app.request(Method::POST, INSERT, gzip(br#"{"batch_id": 12345}"#));
    request.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
    request.headers_mut().insert("accept-encoding", HeaderValue::from_static("gzip"));
    let answer = app.send(request).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-encoding")), (200, Some("gzip")));
    assert_eq!(app.batch().batch_id, Some(12345));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&answer.body[..]), &mut text).unwrap();
    assert!(text.contains(r#""batch_id":12345"#));
}

#[tokio::test]
async fn another_encoding_or_broken_gzip_is_refused() {
    let app = App::new();
    let mut request = app.request(Method::POST, INSERT, "{}");
    request.headers_mut().insert("content-encoding", HeaderValue::from_static("br"));
    app.send(request).await.error(415, "INVALID_ARGUMENT");
    let mut request = app.request(Method::POST, INSERT, "{}");
    request.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
    app.send(request).await.error(400, "INVALID_ARGUMENT");
}

#[tokio::test]
async fn a_body_of_eight_mebibytes_is_read_and_one_byte_more_is_not() {
    const LIMIT: usize = 8 * 1024 * 1024;
    let app = App::new();
    let padded = |length: usize| format!("{{{}}}", " ".repeat(length - 2));
    assert_eq!(app.insert(padded(LIMIT)).await.status, 200);
    app.insert(padded(LIMIT + 1)).await.error(413, "OUT_OF_RANGE");

    let mut request = app.request(Method::POST, INSERT, gzip(padded(LIMIT + 1).as_bytes()));
    request.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
    app.send(request).await.error(413, "OUT_OF_RANGE");
}

#[tokio::test]
async fn a_body_announced_as_too_large_is_not_waited_for() {
    let app = App::new();
    let never = axum::body::Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let mut request = app.request(Method::POST, INSERT, never);
    request.headers_mut().insert("content-length", HeaderValue::from_static("9000000"));
    app.send(request).await.error(413, "OUT_OF_RANGE");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up_in_time() {
    let app = App::new();
    let never = axum::body::Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    app.insert(never).await.error(504, "DEADLINE_EXCEEDED");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_many_bodies_at_once_waits_for_itself_alone() {
    let app = Arc::new(App::new());
    let endless = || {
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            let never = axum::body::Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
            app.insert(never).await
        })
    };
    let open: Vec<_> = (0..BODIES).map(|_| endless()).collect();
    tokio::task::yield_now().await;
    let one_more = app.insert("{}").await;
    assert_eq!(one_more.error(429, "RESOURCE_EXHAUSTED"), "limit max_bodies_per_client is reached");
    assert!(one_more.header("retry-after").is_some());
    assert_eq!(app.get("/calling/api/v1/queues/getmasterqueues").await.status, 200, "it has no body");
    let mut other = app.request(Method::POST, INSERT, "{}");
    let CallerKind::Client { client_id } = CLIENT else { unreachable!("the key of a client") };
    let key = app.keys.add(CallerKind::Client { client_id: client_id + 1 }, |_| {});
    other.headers_mut().insert("x-api-key", HeaderValue::try_from(key).unwrap());
    assert_eq!(app.send(other).await.status, 200, "another client does not wait");
    for answer in open {
        answer.await.unwrap().error(504, "DEADLINE_EXCEEDED");
    }
    assert_eq!(app.insert("{}").await.status, 200);
}

#[tokio::test]
async fn a_page_of_a_configured_origin_may_ask_and_read_the_grpc_status() {
    let app = App::new();
    let answer = app.send(preflight(&app, ORIGIN)).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, Some(ORIGIN)));
    let mut request = app.request(Method::POST, INSERT, "{}");
    request.headers_mut().insert("origin", HeaderValue::from_static(ORIGIN));
    let answer = app.send(request).await;
    let exposed = answer.header("access-control-expose-headers").unwrap();
    for header in ["grpc-status", "grpc-message", "x-request-id"] {
        assert!(exposed.contains(header), "{exposed}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_not() {
    let app = App::new();
    for origin in ["https://elsewhere.example", "https://dialer.example.org", "http://dialer.example", "null"] {
        let answer = app.send(preflight(&app, origin)).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
    }
}

fn preflight(app: &App, origin: &'static str) -> http::Request<axum::body::Body> {
    let mut request = app.request(Method::OPTIONS, INSERT, "");
    request.headers_mut().remove("x-api-key");
    request.headers_mut().insert("origin", HeaderValue::from_static(origin));
    request.headers_mut().insert("access-control-request-method", HeaderValue::from_static("POST"));
    request
}

#[tokio::test]
async fn every_answer_tells_browsers_to_guess_and_frame_nothing() {
    let app = App::new();
    for path in ["/", "/docs", "/docs/page.js", "/openapi.json", "/healthz", "/readyz", "/nowhere", INSERT] {
        let answer = app.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
        assert_eq!(answer.header("strict-transport-security"), None, "{path}: there is no TLS");
    }
}

#[tokio::test]
async fn a_panic_is_answered_with_the_same_headers() {
    let app = App::new();
    let answer = app.insert(format!(r#"{{"batch_id": {PANICS}}}"#)).await;
    answer.error(500, "INTERNAL");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

/// What a policy blocks is not tried in a browser here: the page of the documentation may use only what the server
/// sends, and has no script or style of its own within.
#[tokio::test]
async fn the_page_of_the_documentation_needs_nothing_that_its_policy_blocks() {
    let app = App::new();
    let page = app.get("/docs").await;
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'self';"));
    let text = page.text();
    assert!(!text.contains("<style") && !text.contains(" style=") && !text.contains(" onclick="), "{text}");
    assert_eq!(text.matches("<script").count(), text.matches("<script type=\"module\" src=\"/docs/").count());
    let script = app.get("/docs/page.js").await.text();
    assert!(!script.contains("eval(") && !script.contains("fetch(\"http"), "it loads nothing from elsewhere");
}
