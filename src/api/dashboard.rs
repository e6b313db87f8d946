//! `/`: the dashboard. A build without `clients/dashboard/dist`, as on a machine without Node, has a page in its place that
//! shows whether the server is ready.

use axum::Router;

#[cfg(dashboard)]
pub use built::routes;

/// Returns the routes of the page that shows whether the server is ready.
#[cfg(not(dashboard))]
pub fn routes() -> Router {
    use axum::routing::get;
    use tower_http::compression::CompressionLayer;

    use super::status_page;

    Router::new().route("/", get(async || status_page::serve())).layer(CompressionLayer::new())
}

#[cfg(dashboard)]
mod built {
    use axum::extract::Request;
    use axum::middleware::{self, Next};
    use axum::response::Response;
    use http::header::{self, HeaderValue};
    use memory_serve::CacheControl;

    use super::Router;

    /// The page runs and loads only what this server sends, and writes no text into itself as HTML.
    const POLICY: HeaderValue = HeaderValue::from_static(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'",
    );

    /// Returns the routes of the dashboard's files. They are compressed when the server is built, and have an `ETag`.
    pub fn routes() -> Router {
        memory_serve::load!()
            // The page names the files of its version, whose own names say what is in them.
            .html_cache_control(CacheControl::NoCache)
            .cache_control(CacheControl::Long)
            .enable_brotli(true)
            .enable_gzip(true)
            .into_router()
            .layer(middleware::from_fn(protect))
    }

    async fn protect(request: Request, next: Next) -> Response {
        let mut response = next.run(request).await;
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
        response
    }
}
