//! What browsers are told: which pages may read answers, and what a page of this server may do.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tower_http::cors::{Any, CorsLayer};

use crate::api::context::{self, Protocol, X_REQUEST_ID};

/// The headers of a response that a page of another origin may read.
const EXPOSED: [HeaderName; 6] = [
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
    HeaderName::from_static("idempotent-replayed"),
    X_REQUEST_ID,
    header::RETRY_AFTER,
];

/// What an answer may do that has no policy of its own: nothing, because it is not a page.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// A browser that was here once with TLS uses TLS for a year.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Lets pages of these origins send requests and read the answers. Without any, there is no layer.
#[must_use]
pub fn cors(origins: &[HeaderValue]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    Some(
        CorsLayer::new()
            .allow_origin(origins.to_vec())
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            // The key is in a header that no browser adds by itself.
            .allow_headers(Any)
            .expose_headers(EXPOSED)
            .max_age(Duration::from_secs(3600)),
    )
}

/// Adds the headers that keep a browser from running, framing or guessing what it receives. `is_tls` is true if the
/// port speaks TLS. A gRPC client has no use for them.
pub async fn protect(State(is_tls): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if context::protocol() == Protocol::Grpc {
        return response;
    }
    let headers: &mut HeaderMap = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // For browsers that do not know `frame-ancestors`.
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if is_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
    response
}
