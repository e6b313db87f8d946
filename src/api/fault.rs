//! Turns a google.rpc status into an answer: the error body of REST, or the trailers of gRPC.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderValue};
use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::api::Error;
use crate::api::context::{self, Protocol};
use crate::api::error::http_status;

/// The body of every answer over HTTP that is not a success.
#[derive(Debug, Serialize)]
struct ErrorBody {
    message: String,
    status: &'static str,
    code: &'static str,
    errors: Vec<FieldError>,
    data: Option<()>,
}

#[derive(Debug, Serialize)]
struct FieldError {
    field: String,
    message: String,
}

/// Answers the request that the current task serves, in its own protocol.
#[must_use]
pub fn respond(error: Error) -> Response {
    respond_with(error.into())
}

/// Answers the request that the current task serves with a status, in its own protocol.
#[must_use]
pub fn respond_with(status: Status) -> Response {
    match context::protocol() {
        Protocol::Rest => rest(&status),
        Protocol::Grpc => status.into_http(),
        Protocol::GrpcWeb => {
            let mut response: Response = status.into_http();
            let content_type = HeaderValue::from_static("application/grpc-web+proto");
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            response
        }
    }
}

/// Makes the answer over REST.
#[must_use]
pub fn rest(status: &Status) -> Response {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.as_str());
    let mut response = (http_status(status.code(), reason), Json(body(status))).into_response();
    if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response.extensions_mut().insert(status.code());
    response
}

/// Writes the error body as JSON text, for a stream that fails after its status line was sent.
#[must_use]
pub fn event(status: &Status) -> String {
    serde_json::to_string(&body(status)).unwrap_or_default()
}

fn body(status: &Status) -> ErrorBody {
    let details = status.get_error_details();
    let errors = details.bad_request().map(|bad| bad.field_violations.as_slice());
    let errors = errors
        .unwrap_or_default()
        .iter()
        .map(|violation| FieldError { field: violation.field.clone(), message: violation.description.clone() });
    ErrorBody {
        message: status.message().to_owned(),
        status: "error",
        code: name(status.code()),
        errors: errors.collect(),
        data: None,
    }
}

/// Returns the name of a code in google.rpc.
pub const fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
