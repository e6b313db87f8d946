//! Tests what a key costs, from where it can be used, how guessing is slowed down, and that streams end with their key.

use std::time::Duration;

use axum::body::Body;
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, Method, Request};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;
use trunkline::api::auth::{ApiKey, KeyKind, StoredKey};
use trunkline::domain::networks::Networks;
use trunkline::pb::{TestConnectionRequest, WatchCallsRequest};

use crate::requests::{GRPC, GRPC_WEB, from, with};
use crate::support::{Answer, App, CLIENT, PROXY};

const TEST_CONNECTION: &str = "/calling/api/v1/clients/test-connection";
const WATCH: &str = "/calling/api/v1/calls/watch?after=0";

const OFFICE: &str = "192.0.2.10";
const HOME: &str = "203.0.113.4";

impl App {
    async fn try_key(&self, address: &str, key: Option<&str>) -> Answer {
        self.send(from(address, with(key, self.request(Method::GET, TEST_CONNECTION, Body::empty())))).await
    }

    /// Sends that many keys which nobody has.
    async fn guess(&self, address: &str, guesses: usize) {
        for _ in 0..guesses {
            let guess = ApiKey::generate(KeyKind::Live);
            self.try_key(address, Some(guess.expose())).await.error(401, "UNAUTHENTICATED");
        }
    }

    fn lookups(&self) -> usize {
        *self.keys.lookups.lock().unwrap()
    }
}

/// Returns the key with another secret and the right checksum.
fn with_wrong_secret(app: &App) -> String {
    app.keys.add(CLIENT, |key| key.secret_sha256 = [0; 32])
}

#[tokio::test]
async fn a_wrong_secret_marks_nothing_as_used_and_is_read_from_memory() {
    let app = App::new();
    let wrong = with_wrong_secret(&app);
    let unknown = ApiKey::generate(KeyKind::Admin);
    for key in [wrong.as_str(), unknown.expose()] {
        let before = app.lookups();
        let began = std::time::Instant::now();
        for _ in 0..50 {
            app.try_key(OFFICE, Some(key)).await;
        }
        // A key is looked up again after half a second.
        let most = 1 + began.elapsed().as_millis() / 500;
        assert!((app.lookups() - before) as u128 <= most, "50 tries caused {} reads", app.lookups() - before);
    }
    assert!(app.keys.used.lock().unwrap().is_empty(), "a wrong secret counts as a use of the key");
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_once_a_minute_and_only_if_it_was_admitted() {
    let app = App::new();
    let far = app.keys.add(CLIENT, |key| key.networks = Networks::parse(["198.51.100.0/24"]).unwrap());
    app.try_key(OFFICE, Some(&far)).await.error(403, "PERMISSION_DENIED");
    for _ in 0..20 {
        assert_eq!(app.try_key(OFFICE, Some(&app.key)).await.status, 200);
    }
    assert_eq!(*app.keys.used.lock().unwrap(), [ApiKey::parse(&app.key).unwrap().key_id]);
}

#[tokio::test]
async fn a_key_that_was_just_made_works_at_once() {
    let app = App::new();
    app.guess(OFFICE, 3).await;
    let key = app.keys.add(CLIENT, |_| {});
    assert_eq!(app.try_key(OFFICE, Some(&key)).await.status, 200);
}

#[tokio::test]
async fn a_source_that_guesses_has_to_wait_and_no_other_source_has() {
    let app = App::new();
    let right = app.keys.add(CLIENT, |_| {});
    app.guess(OFFICE, 10).await;
    for key in [ApiKey::generate(KeyKind::Live).expose(), &right, "a configured admin key"] {
        let answer = app.try_key(OFFICE, Some(key)).await;
        let message = answer.error(429, "RESOURCE_EXHAUSTED");
        assert_eq!(message, "too many wrong API keys came from this address");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let before = app.lookups();
    app.try_key(OFFICE, Some(ApiKey::generate(KeyKind::Live).expose())).await.error(429, "RESOURCE_EXHAUSTED");
    assert_eq!(app.lookups(), before, "a source that has to wait causes no read");
    assert_eq!(app.try_key(OFFICE, None).await.status, 401, "no key is no guess, and needs no delay");
    for key in [&right, "a configured admin key"] {
        assert_eq!(app.try_key(HOME, Some(key)).await.status, 200, "the right key works from another address");
    }
    let mut request = from(OFFICE, app.rpc("ClientService/TestConnection", GRPC, &TestConnectionRequest {}));
    request.headers_mut().insert("x-api-key", HeaderValue::from_str("a wrong key").unwrap());
    let answer = app.send(request).await;
    assert_eq!(answer.grpc_code(), Some(Code::ResourceExhausted));
    let details = tonic::Status::from_header_map(&answer.headers).unwrap().get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["limit"], "wrong_keys");
    assert!(details.retry_info().unwrap().retry_delay.unwrap() <= Duration::from_secs(1));
}

#[tokio::test]
async fn a_key_in_use_works_on_while_its_neighbours_guess() {
    let app = App::new();
    assert_eq!(app.try_key(OFFICE, Some(&app.key)).await.status, 200);
    assert_eq!(app.try_key(OFFICE, Some("a configured admin key")).await.status, 200);
    app.guess(OFFICE, 10).await;
    assert_eq!(app.try_key(OFFICE, Some(&app.key)).await.status, 200);
    // A configured key may be weak enough to be guessed.
    app.try_key(OFFICE, Some("a configured admin key")).await.error(429, "RESOURCE_EXHAUSTED");
}

#[tokio::test]
async fn a_source_that_has_waited_may_try_again_and_then_waits_longer() {
    let app = App::new();
    app.guess(OFFICE, 10).await;
    let locked = std::time::Instant::now();
    while app.try_key(OFFICE, Some("a wrong key")).await.status == 429 {
        assert!(locked.elapsed() < Duration::from_secs(10), "the first delay does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(locked.elapsed() > Duration::from_millis(900), "the first delay lasts {:?}", locked.elapsed());
    let answer = app.try_key(OFFICE, Some("a wrong key")).await;
    answer.error(429, "RESOURCE_EXHAUSTED");
    assert_eq!(answer.header("retry-after"), Some("2"));
}

#[tokio::test]
async fn a_key_whose_secret_is_right_is_no_guess() {
    let app = App::new();
    let revoked = app.keys.add(CLIENT, |key| key.revoked = true);
    let disabled = app.keys.add(CLIENT, |key| key.client_disabled = true);
    for _ in 0..200 {
        app.try_key(OFFICE, Some(&revoked)).await.error(401, "UNAUTHENTICATED");
        app.try_key(OFFICE, Some(&disabled)).await.error(403, "PERMISSION_DENIED");
        app.try_key(OFFICE, None).await.error(401, "UNAUTHENTICATED");
        app.try_key(OFFICE, Some("")).await.error(401, "UNAUTHENTICATED");
    }
    assert_eq!(app.try_key(OFFICE, Some(&app.key)).await.status, 200);
}

#[tokio::test]
async fn the_addresses_of_one_ipv6_network_are_one_source() {
    let app = App::new();
    for host in 1..=10 {
        app.guess(&format!("2001:db8:0:1::{host:x}"), 1).await;
    }
    app.try_key("2001:db8:0:1:ffff::9", Some(&app.key)).await.error(429, "RESOURCE_EXHAUSTED");
    assert_eq!(app.try_key("2001:db8:0:2::1", Some(&app.key)).await.status, 200);
}

/// Makes a request that a proxy passes on.
fn through(proxy: &str, forwarded_for: &str, request: Request<Body>) -> Request<Body> {
    let mut request = from(proxy, request);
    request.headers_mut().insert("x-forwarded-for", HeaderValue::from_str(forwarded_for).unwrap());
    request
}

#[tokio::test]
async fn a_key_works_only_from_its_networks_and_only_a_trusted_proxy_says_where_that_is() {
    let app = App::new();
    let key = app.keys.add(CLIENT, |key| key.networks = Networks::parse(["192.0.2.0/24", "2001:db8::/32"]).unwrap());
    let ask = || with(Some(&key), app.request(Method::GET, TEST_CONNECTION, Body::empty()));
    for (address, served) in
        [(OFFICE, true), ("::ffff:192.0.2.9", true), ("2001:db8::1", true), (HOME, false), ("::1", false)]
    {
        assert_eq!(app.send(from(address, ask())).await.status.is_success(), served, "{address}");
    }
    let refused = app.send(from(HOME, ask())).await.error(403, "PERMISSION_DENIED");
    assert_eq!(refused, "the API key may not be used from 203.0.113.4");

    assert_eq!(app.send(through(PROXY, OFFICE, ask())).await.status, 200);
    assert_eq!(app.send(through(PROXY, HOME, ask())).await.status, 403);
    assert_eq!(app.send(through(HOME, OFFICE, ask())).await.status, 403, "anyone can write the header");
    let spoofed = app.send(through(PROXY, &format!("{OFFICE}, {HOME}"), ask())).await;
    assert_eq!(spoofed.error(403, "PERMISSION_DENIED"), refused, "only what the proxy appended counts");
    let unclear = app.send(through(PROXY, "unknown", ask())).await.error(403, "PERMISSION_DENIED");
    assert!(unclear.contains("does not say whom it speaks for"), "{unclear}");
    assert_eq!(app.send(ask()).await.status, 403, "a request from nowhere is not from the network");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_a_source_of_its_own() {
    let app = App::new();
    let ask = |key: &str| with(Some(key), app.request(Method::GET, TEST_CONNECTION, Body::empty()));
    for guess in 0..10 {
        app.send(through(PROXY, HOME, ask(&format!("guess {guess}")))).await.error(401, "UNAUTHENTICATED");
    }
    app.send(through(PROXY, HOME, ask(&app.key))).await.error(429, "RESOURCE_EXHAUSTED");
    assert_eq!(app.send(through(PROXY, OFFICE, ask(&app.key))).await.status, 200);
}

/// How a key ends, the code with which its streams end, and the text.
type End = (fn(&mut StoredKey), Code, &'static str);

const ENDS: [End; 3] = [
    (|key| key.revoked = true, Code::Unauthenticated, "the API key was revoked"),
    (|key| key.expires_at = Some(Timestamp::now()), Code::Unauthenticated, "the API key has expired"),
    (|key| key.client_disabled = true, Code::PermissionDenied, "the client is disabled"),
];

/// Opens a stream without events, ends its key, and returns the rest of the stream, which must end within a second.
async fn rest_of_stream(
    app: &App,
    request: Request<Body>,
    end: fn(&mut StoredKey),
) -> http_body_util::Collected<bytes::Bytes> {
    *app.recorder.events.lock().unwrap() = Some(stream::pending().boxed());
    app.keys.stored.lock().unwrap().values_mut().for_each(|key| {
        (key.revoked, key.expires_at, key.client_disabled) = (false, None, false);
    });
    let response = app.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    app.keys.stored.lock().unwrap().values_mut().for_each(end);
    let ended = Instant::now();
    let rest = response.into_body().collect().await.unwrap();
    assert!(ended.elapsed() < Duration::from_secs(1), "the stream ended after {:?}", ended.elapsed());
    rest
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_within_a_second_after_its_key_in_each_protocol() {
    let app = App::new();
    let stop = CancellationToken::new();
    let watch = tokio::spawn(app.auth.clone().watch_streams(stop.clone()));
    for (end, code, text) in ENDS {
        let rest = rest_of_stream(&app, app.request(Method::GET, WATCH, Body::empty()), end).await.to_bytes();
        let rest = String::from_utf8_lossy(&rest).into_owned();
        let name = if code == Code::Unauthenticated { "UNAUTHENTICATED" } else { "PERMISSION_DENIED" };
        assert!(rest.starts_with("event: error\ndata: {") && rest.ends_with("\n\n"), "{rest}");
        assert!(rest.contains(&format!("\"code\":\"{name}\"")) && rest.contains(text), "{rest}");

        let grpc = |content_type| app.rpc("CallService/WatchCalls", content_type, &WatchCallsRequest::default());
        let rest = rest_of_stream(&app, grpc(GRPC), end).await;
        let status = tonic::Status::from_header_map(rest.trailers().unwrap()).unwrap();
        assert_eq!((status.code(), status.message()), (code, text));

        let rest = rest_of_stream(&app, grpc(GRPC_WEB), end).await.to_bytes();
        let rest = String::from_utf8_lossy(&rest).into_owned();
        assert!(rest.contains(&format!("grpc-status:{}", code as i32)), "{rest}");
    }
    stop.cancel();
    watch.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_always_has_something_to_send_ends_too() {
    let app = App::new();
    let watch = tokio::spawn(app.auth.clone().watch_streams(CancellationToken::new()));
    let endless = stream::repeat_with(|| Ok(Default::default())).then(|event| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        event
    });
    *app.recorder.events.lock().unwrap() = Some(endless.boxed());
    let response = app.router.clone().oneshot(app.request(Method::GET, WATCH, Body::empty())).await.unwrap();
    app.keys.stored.lock().unwrap().values_mut().for_each(|key| key.revoked = true);
    let rest = tokio::time::timeout(Duration::from_secs(1), response.into_body().collect()).await;
    assert!(String::from_utf8_lossy(&rest.expect("the stream ends").unwrap().to_bytes()).contains("event: error"));
    watch.abort();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_ends_no_stream() {
    let app = App::new();
    let watch = tokio::spawn(app.auth.clone().watch_streams(CancellationToken::new()));
    *app.recorder.events.lock().unwrap() = Some(stream::pending().boxed());
    let response = app.router.clone().oneshot(app.request(Method::GET, WATCH, Body::empty())).await.unwrap();
    *app.keys.is_away.lock().unwrap() = true;
    let mut body = response.into_body();
    // The comments that keep an idle stream alive are sent every 15 seconds.
    for _ in 0..3 {
        let comment = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(comment, ":\n\n");
    }
    assert!(app.lookups() > 100, "the key of the stream was not looked up");
    *app.keys.is_away.lock().unwrap() = false;
    app.keys.stored.lock().unwrap().clear();
    let last = body.collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&last).contains("the API key was revoked"), "a deleted key is as good as revoked");
    watch.abort();
}
