//! Tests the contract's section "Limits and access" over REST, gRPC and gRPC-web.

use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Method, Version};
use jiff::Timestamp;
use prost::Message as _;
use tonic::Code;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
use tonic_types::StatusExt as _;
use trunkline::api::auth::{ApiKey, Caller, CallerKind, KeyKind};
use trunkline::pb::{ListClientsRequest, TestConnectionRequest, TestConnectionResponse};

use crate::requests::{GRPC, GRPC_WEB};
use crate::support::{Answer, App, CLIENT};

const TEST_CONNECTION: &str = "/calling/api/v1/clients/test-connection";

impl App {
    async fn with_key(&self, key: &str) -> Answer {
        let mut request = self.request(Method::GET, TEST_CONNECTION, Body::empty());
        request.headers_mut().insert("x-api-key", HeaderValue::from_str(key).unwrap());
        self.send(request).await
    }
}

#[tokio::test]
async fn a_missing_unknown_revoked_or_expired_key_is_refused_with_one_text() {
    let app = App::new();
    let past = Timestamp::now() - Duration::from_secs(1);
    let unknown = ApiKey::generate(KeyKind::Live);
    let forged = format!("{}{}", &app.key[..app.key.len() - 6], &unknown.expose()[unknown.expose().len() - 6..]);
    let keys = [
        unknown.expose().to_owned(),
        forged,
        app.keys.add(CLIENT, |key| key.revoked = true),
        app.keys.add(CLIENT, |key| key.expires_at = Some(past)),
        app.keys.add(CLIENT, |key| key.secret_sha256 = [0; 32]),
        "your_api_key".to_owned(),
        String::new(),
    ];
    let mut request = app.request(Method::GET, TEST_CONNECTION, Body::empty());
    request.headers_mut().remove("x-api-key");
    let without = app.send(request).await.error(401, "UNAUTHENTICATED");
    for key in keys {
        assert_eq!(app.with_key(&key).await.error(401, "UNAUTHENTICATED"), without);
    }
}

#[tokio::test]
async fn a_mistyped_key_is_refused_without_a_query() {
    let app = App::new();
    let mut wrong = app.key.clone();
    let last = wrong.pop().unwrap();
    wrong.push(if last == 'x' { 'y' } else { 'x' });
    app.with_key(&wrong).await.error(401, "UNAUTHENTICATED");
    assert_eq!(*app.keys.lookups.lock().unwrap(), 0);
}

#[tokio::test]
async fn a_disabled_client_is_403() {
    let app = App::new();
    let key = app.keys.add(CLIENT, |key| key.client_disabled = true);
    app.with_key(&key).await.error(403, "PERMISSION_DENIED");
    // A caller without the right secret does not learn whose key it is.
    let key = app.keys.add(CLIENT, |key| (key.client_disabled, key.secret_sha256) = (true, [0; 32]));
    app.with_key(&key).await.error(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_method_sees_the_caller() {
    let app = App::new();
    let key_id = ApiKey::parse(&app.key).unwrap().key_id;
    app.get(TEST_CONNECTION).await;
    assert_eq!(*app.recorder.caller.lock().unwrap(), Some(Caller { kind: CLIENT, key_id, name: None }));
    app.with_key("a configured admin key").await;
    let admin = Caller { kind: CallerKind::Admin, key_id: "bootstrap".to_owned(), name: None };
    assert_eq!(*app.recorder.caller.lock().unwrap(), Some(admin));
    let alice = app.keys.add(CallerKind::Admin, |_| {});
    app.with_key(&alice).await;
    let caller = app.recorder.caller.lock().unwrap().clone().unwrap();
    assert_eq!((caller.kind, caller.actor()), (CallerKind::Admin, "alice"));
}

#[tokio::test]
async fn a_revoked_key_stops_working_within_a_second() {
    let app = App::new();
    assert_eq!(app.get(TEST_CONNECTION).await.status, 200);
    let revoked = Instant::now();
    app.keys.stored.lock().unwrap().values_mut().for_each(|key| key.revoked = true);
    while app.get(TEST_CONNECTION).await.status == 200 {
        assert!(revoked.elapsed() < Duration::from_secs(1), "the revoked key is still valid");
        tokio::task::yield_now().await;
    }
    assert!(*app.keys.lookups.lock().unwrap() <= 4, "a key in use is looked up more often than about twice a second");
}

#[tokio::test]
async fn while_keys_cannot_be_looked_up_the_answer_is_503() {
    let app = App::new();
    *app.keys.is_away.lock().unwrap() = true;
    let answer = app.get(TEST_CONNECTION).await;
    answer.error(503, "UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), Some("1"));
    *app.keys.is_away.lock().unwrap() = false;
    assert_eq!(app.get(TEST_CONNECTION).await.status, 200, "the failure was remembered");
}

#[tokio::test]
async fn a_server_that_stops_answers_503_with_retry_after_in_each_protocol() {
    let app = App::new();
    app.stop.cancel();
    let answer = app.get(TEST_CONNECTION).await;
    assert_eq!(answer.error(503, "UNAVAILABLE"), "the server is stopping");
    assert_eq!(answer.header("retry-after"), Some("1"));
    for content_type in [GRPC, GRPC_WEB] {
        let request = app.rpc("ClientService/TestConnection", content_type, &TestConnectionRequest {});
        assert_eq!(app.send(request).await.grpc_code(), Some(Code::Unavailable));
    }
    assert_eq!(app.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn the_request_rate_of_a_client_is_told_with_its_name_and_a_delay_in_each_protocol() {
    let app = App::new();
    let other = CallerKind::Client { client_id: 8 };
    let key = app.keys.add(other, |key| key.requests_per_second = Some(0.001));
    assert_eq!(app.with_key(&key).await.status, 200);
    let answer = app.with_key(&key).await;
    assert_eq!(answer.error(429, "RESOURCE_EXHAUSTED"), "limit requests_per_second is reached");
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 1);
    let mut request = app.rpc("ClientService/TestConnection", GRPC, &TestConnectionRequest {});
    request.headers_mut().insert("x-api-key", HeaderValue::from_str(&key).unwrap());
    let answer = app.send(request).await;
    assert_eq!(answer.grpc_code(), Some(Code::ResourceExhausted));
    let status = tonic::Status::from_header_map(&answer.headers).unwrap();
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["limit"], "requests_per_second");
    assert!(details.retry_info().unwrap().retry_delay.unwrap() > Duration::from_secs(1));
    assert_eq!(app.get(TEST_CONNECTION).await.status, 200, "another client was limited");
}

#[tokio::test]
async fn administration_needs_an_admin_key_whatever_the_protocol() {
    let app = App::new();
    for path in ["/calling/api/v1/admin/clients", "/calling/api/admin/servers/"] {
        app.get(path).await.error(403, "PERMISSION_DENIED");
    }
    for content_type in [GRPC, GRPC_WEB] {
        let request = app.rpc("AdminService/ListClients", content_type, &ListClientsRequest::default());
        assert_eq!(app.send(request).await.grpc_code(), Some(Code::PermissionDenied));
    }
    let key = app.keys.add(CallerKind::Admin, |_| {});
    for key in [key.as_str(), "a configured admin key"] {
        let mut request = app.request(Method::GET, "/calling/api/admin/clients", Body::empty());
        request.headers_mut().insert("x-api-key", HeaderValue::from_str(key).unwrap());
        assert_eq!(app.send(request).await.status, 200);
    }
}

#[tokio::test]
async fn access_is_refused_before_the_body_is_read() {
    let app = App::new();
    let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    let mut request = app.request(Method::POST, crate::support::INSERT, never);
    request.headers_mut().remove("x-api-key");
    app.send(request).await.error(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_refusal_can_be_read_by_grpc_and_grpc_web_clients() {
    let app = App::new();
    for content_type in [GRPC, GRPC_WEB, "application/grpc-web-text"] {
        let mut request = app.rpc("ClientService/TestConnection", content_type, &TestConnectionRequest {});
        request.headers_mut().remove("x-api-key");
        let answer = app.send(request).await;
        assert_eq!(answer.grpc_code(), Some(Code::Unauthenticated), "{content_type}");
        let kind = answer.header("content-type").unwrap();
        assert_eq!(kind.starts_with("application/grpc-web"), content_type != GRPC, "{kind}");
        assert_eq!(answer.header("grpc-message"), Some("missing%20or%20invalid%20API%20key"));
        assert!(answer.header("x-request-id").is_some());
    }
}

#[tokio::test]
async fn the_same_key_works_over_grpc_web() {
    let app = App::new();
    let request = app.rpc("ClientService/TestConnection", GRPC_WEB, &TestConnectionRequest {});
    let answer = app.send(request).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some(GRPC_WEB)));
    let length = u32::from_be_bytes(answer.body[1..5].try_into().unwrap()) as usize;
    let message = TestConnectionResponse::decode(&answer.body[5..5 + length]).unwrap();
    assert_eq!(message.name, "sandbox");
    let trailers = String::from_utf8_lossy(&answer.body[5 + length + 5..]).into_owned();
    assert!(trailers.contains("grpc-status:0"), "{trailers}");
}

#[tokio::test]
async fn health_reflection_and_the_status_page_need_no_key() {
    let app = App::new();
    for path in ["/", "/healthz", "/readyz"] {
        let mut request = app.request(Method::GET, path, Body::empty());
        request.headers_mut().remove("x-api-key");
        assert_eq!(app.send(request).await.status, 200, "{path}");
    }
    let health = HealthClient::new(app.router.clone()).check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(health.into_inner().status(), ServingStatus::Serving);
    let mut request = app.request(Method::POST, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "");
    request.headers_mut().remove("x-api-key");
    request.headers_mut().insert("content-type", HeaderValue::from_static(GRPC));
    *request.version_mut() = Version::HTTP_2;
    assert_eq!(app.send(request).await.grpc_code(), None, "the request was refused in the headers");
}

#[tokio::test]
async fn readiness_says_what_is_missing() {
    let app = App::new();
    *app.keys.is_away.lock().unwrap() = true;
    assert_eq!(app.get("/readyz").await.error(503, "UNAVAILABLE"), "the store cannot be reached");
    assert_eq!(app.get("/healthz").await.status, 200);
}
