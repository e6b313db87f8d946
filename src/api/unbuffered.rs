//! Keeps reverse proxies from buffering the answers that are streams.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{HeaderName, HeaderValue};

use crate::api::auth;

/// The header with which an answer tells nginx, and proxies that follow it, not to buffer it. nginx as it is installed
/// would hold a stream back until a buffer is full, which a stream of few events never fills.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Marks the answers of the methods that stream, in every protocol. The path of the request must have been matched.
pub async fn streams(request: Request, next: Next) -> Response {
    let streams = auth::streams(&request);
    let response = next.run(request).await;
    if streams { marked(response) } else { response }
}

/// Marks every answer. It is for services that are not in the descriptors of the API, such as reflection.
pub async fn all(request: Request, next: Next) -> Response {
    marked(next.run(request).await)
}

fn marked(mut response: Response) -> Response {
    response.headers_mut().insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}
