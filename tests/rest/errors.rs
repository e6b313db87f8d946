//! Tests the contract's section "Envelope": the error body of every path, and the same errors over gRPC.

use std::time::Duration;

use axum::body::Body;
use http::Method;
use serde_json::json;
use tonic::Code;
use tonic_types::StatusExt as _;
use trunkline::api::{At, Error, Reason, Violations};
use trunkline::pb::InsertBatchRequest;
use trunkline::pb::queue_service_client::QueueServiceClient;

use crate::support::{App, INSERT, PANICS};

impl App {
    /// Returns the status that a gRPC client gets for a batch.
    async fn insert_over_grpc(&self, batch: InsertBatchRequest) -> tonic::Status {
        let mut request = tonic::Request::new(batch);
        request.metadata_mut().insert("x-api-key", self.key.parse().unwrap());
        let mut client = QueueServiceClient::new(self.router.clone());
        client.insert_batch(request).await.expect_err("the batch was accepted")
    }
}

/// An error with its HTTP status and the name of its code.
type Fault = (fn() -> Error, u16, &'static str);

const FAULTS: [Fault; 14] = [
    (|| Error::invalid("batch_id", "required"), 400, "INVALID_ARGUMENT"),
    (|| Error::Malformed("bad".to_owned()), 400, "INVALID_ARGUMENT"),
    (|| Error::NotFound("queue 5".to_owned()), 404, "NOT_FOUND"),
    (exists, 409, "ALREADY_EXISTS"),
    (completed, 409, "FAILED_PRECONDITION"),
    (|| Error::Unauthenticated, 401, "UNAUTHENTICATED"),
    (|| Error::Forbidden("the client is disabled".to_owned()), 403, "PERMISSION_DENIED"),
    (denied, 403, "PERMISSION_DENIED"),
    (limited, 429, "RESOURCE_EXHAUSTED"),
    (away, 503, "UNAVAILABLE"),
    (|| Error::OutOfRange("the cursor is too old".to_owned()), 400, "OUT_OF_RANGE"),
    (|| Error::DeadlineExceeded, 504, "DEADLINE_EXCEEDED"),
    (|| Error::BodyTooLarge { limit: 8 }, 413, "OUT_OF_RANGE"),
    (|| Error::internal("password 123 is wrong"), 500, "INTERNAL"),
];

fn exists() -> Error {
    let metadata = vec![("queue_id", "12".to_owned())];
    Error::AlreadyExists { message: "batch 5 is in queue 12 with other content".to_owned(), metadata }
}

fn completed() -> Error {
    Error::FailedPrecondition { reason: Reason::QueueCompleted, message: "queue 5 is completed".to_owned() }
}

fn denied() -> Error {
    let mut violations = Violations::default();
    violations.denied(&At::field("data").index(0).then("action").then("Application"), "not granted");
    violations.finish().unwrap_err()
}

fn limited() -> Error {
    Error::ResourceExhausted { limit: "requests_per_second", retry_after: Duration::from_millis(1200) }
}

fn away() -> Error {
    Error::Unavailable { message: "the store cannot be reached".to_owned(), retry_after: Duration::from_secs(3) }
}

#[tokio::test]
async fn the_same_fault_is_the_same_code_and_text_over_rest_and_grpc() {
    let app = App::new();
    for (fault, http, code) in FAULTS {
        *app.recorder.fail.lock().unwrap() = Some(fault);
        let rest = app.insert(r#"{"batch_id": 1}"#).await;
        let grpc = app.insert_over_grpc(InsertBatchRequest::default()).await;
        let message = rest.error(http, code);
        assert_eq!(format!("{:?}", grpc.code()).to_uppercase(), code.replace('_', ""));
        let details = grpc.get_error_details();
        let info = details.error_info().unwrap_or_else(|| panic!("{code} has no ErrorInfo"));
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (fault().reason().as_str(), "trunkline"));
        let errors: Vec<_> = details
            .bad_request()
            .into_iter()
            .flat_map(|bad| &bad.field_violations)
            .map(|it| json!({"field": it.field, "message": it.description}))
            .collect();
        assert_eq!(rest.json()["errors"], json!(errors));
        if grpc.code() != Code::Internal {
            assert_eq!(message, grpc.message());
        }
    }
}

#[tokio::test]
async fn errors_that_no_method_makes_have_a_reason_too() {
    let app = App::new();
    let reason = |status: &tonic::Status| {
        let details = status.get_error_details();
        let info = details.error_info().unwrap_or_else(|| panic!("{status:?} has no ErrorInfo"));
        assert_eq!(info.domain, "trunkline");
        info.reason.clone()
    };
    let mut client = QueueServiceClient::new(app.router.clone());
    let without_key = client.insert_batch(InsertBatchRequest::default()).await.unwrap_err();
    assert_eq!((without_key.code(), reason(&without_key).as_str()), (Code::Unauthenticated, "INVALID_API_KEY"));
    *app.recorder.fail.lock().unwrap() = Some(|| Error::NotFound("queue 5".to_owned()));
    let missing = app.insert_over_grpc(InsertBatchRequest::default()).await;
    assert_eq!(reason(&missing), "RESOURCE_NOT_FOUND");
    assert_eq!(missing.get_error_details().error_info().unwrap().metadata["resource"], "queue 5");
    // A compressed message that tonic cannot read.
    let mut request = tonic::Request::new(InsertBatchRequest::default());
    request.metadata_mut().insert("x-api-key", app.key.parse().unwrap());
    request.metadata_mut().insert("grpc-encoding", "br".parse().unwrap());
    let unreadable = client.insert_batch(request).await.unwrap_err();
    assert_eq!((unreadable.code(), reason(&unreadable).as_str()), (Code::Unimplemented, "UNIMPLEMENTED"));
}

#[tokio::test]
async fn field_errors_have_their_paths_also_where_access_is_denied() {
    let app = App::new();
    *app.recorder.fail.lock().unwrap() = Some(denied);
    let answer = app.insert("{}").await;
    assert_eq!(answer.error(403, "PERMISSION_DENIED"), "data[0].action.Application: not granted");
    let errors = json!([{"field": "data[0].action.Application", "message": "not granted"}]);
    assert_eq!(answer.json()["errors"], errors);
}

#[tokio::test]
async fn what_may_be_tried_again_says_when_in_whole_seconds() {
    let app = App::new();
    for (fault, seconds) in [(limited as fn() -> Error, "2"), (away, "3")] {
        *app.recorder.fail.lock().unwrap() = Some(fault);
        assert_eq!(app.insert("{}").await.header("retry-after"), Some(seconds));
    }
    *app.recorder.fail.lock().unwrap() = Some(limited);
    assert!(app.insert("{}").await.error(429, "RESOURCE_EXHAUSTED").contains("requests_per_second"));
    let grpc = app.insert_over_grpc(InsertBatchRequest::default()).await;
    let details = grpc.get_error_details();
    assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_millis(1200)));
    assert_eq!(details.error_info().unwrap().metadata["limit"], "requests_per_second");
}

#[tokio::test]
async fn an_internal_error_and_a_panic_tell_no_more_than_the_request_id() {
    let app = App::new();
    let panicked = app.insert(format!(r#"{{"batch_id": {PANICS}}}"#)).await;
    *app.recorder.fail.lock().unwrap() = Some(|| Error::internal("password 123 is wrong"));
    let failed = app.insert("{}").await;
    for answer in [panicked, failed] {
        let message = answer.error(500, "INTERNAL");
        assert_eq!(message, format!("internal error, request id {}", answer.header("x-request-id").unwrap()));
    }
}

#[tokio::test]
async fn a_panic_over_grpc_is_a_status() {
    let app = App::new();
    let status = app.insert_over_grpc(InsertBatchRequest { batch_id: Some(PANICS), ..Default::default() }).await;
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().starts_with("internal error, request id "), "{}", status.message());
}

#[tokio::test]
async fn an_unknown_path_is_404_with_and_without_a_key() {
    let app = App::new();
    for path in ["/nowhere", "/calling/api/v1", "/calling/api/v1/queues/1/nothing", "/calling/api/v2/queues/getqueues"]
    {
        app.get(path).await.error(404, "NOT_FOUND");
        let mut request = app.request(Method::POST, path, "{}");
        request.headers_mut().remove("x-api-key");
        app.send(request).await.error(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_wrong_method_is_405_and_names_the_right_ones() {
    let app = App::new();
    for path in [INSERT, "/calling/api/queues/insertdataincallqueue/"] {
        let answer = app.get(path).await;
        answer.error(405, "UNIMPLEMENTED");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    let answer = app.send(app.request(Method::DELETE, "/calling/api/v1/admin/clients", "")).await;
    assert_eq!(answer.error(405, "UNIMPLEMENTED"), "method not allowed");
    let mut allowed: Vec<_> = answer.header("allow").unwrap().split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
}

#[tokio::test]
async fn a_grpc_path_without_grpc_gets_the_error_body() {
    let app = App::new();
    let path = "/trunkline.v1.QueueService/InsertBatch";
    app.post(path, "{}").await.error(415, "INVALID_ARGUMENT");
    let answer = app.get(path).await;
    answer.error(405, "UNIMPLEMENTED");
    assert_eq!(answer.header("allow"), Some("POST"));
}

#[tokio::test]
async fn an_unknown_rpc_is_unimplemented() {
    let app = App::new();
    for path in ["/trunkline.v1.QueueService/Nothing", "/trunkline.v9.Nothing/AtAll"] {
        let mut request = app.request(Method::POST, path, Body::empty());
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        *request.version_mut() = http::Version::HTTP_2;
        let answer = app.send(request).await;
        let status = answer.header("grpc-status").map(|code| Code::from_bytes(code.as_bytes()));
        assert_eq!((answer.status.as_u16(), status), (200, Some(Code::Unimplemented)), "{path}");
    }
}
