//! `/docs`: a page that draws `/openapi.json` for people. All that it needs is in the binary.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{self, HeaderValue};

/// Browsers run and load only what this server sends.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'; base-uri 'none'");

/// Returns the routes of the page and its parts.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = || get(async || asset("text/html; charset=utf-8", include_str!("index.html")));
    Router::new()
        .route("/docs", page())
        .route("/docs/", page())
        .route("/docs/style.css", get(async || asset("text/css; charset=utf-8", include_str!("style.css"))))
        .route("/docs/page.js", get(async || asset("text/javascript; charset=utf-8", include_str!("page.js"))))
}

fn asset(content_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        // A new version of the server may have a new page, so browsers must ask each time.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}
