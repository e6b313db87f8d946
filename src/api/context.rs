//! The context of a request, which all code that serves it can read: its id and its protocol.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tracing::Instrument as _;
use uuid::Uuid;

/// The header that carries the id of a request, in the request and in the answer.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is accepted from a caller, in bytes.
const MAX_REQUEST_ID: usize = 128;

/// The id of a request, which is also in its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

/// The protocol in which the caller is told of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// REST has a status line and an error body.
    Rest,
    /// gRPC has trailers in place of headers.
    Grpc,
    /// gRPC-web answers like gRPC, with another content type.
    GrpcWeb,
}

#[derive(Debug, Clone)]
struct Context {
    id: RequestId,
    protocol: Protocol,
}

tokio::task_local! {
    static CONTEXT: Context;
}

impl RequestId {
    /// Returns the caller's own id if it has 1 to 128 visible ASCII characters, else a new one that sorts by time.
    fn of(headers: &HeaderMap) -> Self {
        let own = headers.get(X_REQUEST_ID).filter(|id| {
            let id = id.as_bytes();
            (1..=MAX_REQUEST_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
        });
        let id = own.cloned().unwrap_or_else(|| {
            let id = Uuid::now_v7().to_string();
            HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
        });
        Self(id)
    }

    /// Returns the id as it is in the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl Protocol {
    /// Returns the protocol of a request, which its content type tells.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        if content_type.starts_with(b"application/grpc-web") {
            Self::GrpcWeb
        } else if content_type.starts_with(b"application/grpc") {
            Self::Grpc
        } else {
            Self::Rest
        }
    }
}

/// Returns the id of the request that the current task serves; empty if it serves none.
#[must_use]
pub fn request_id() -> String {
    CONTEXT.try_with(|context| context.id.as_str().to_owned()).unwrap_or_default()
}

/// Returns the protocol of the request that the current task serves; REST if it serves none.
#[must_use]
pub fn protocol() -> Protocol {
    CONTEXT.try_with(|context| context.protocol).unwrap_or(Protocol::Rest)
}

/// Returns work that has the context of the current task, wherever it runs.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let context = CONTEXT.try_with(Clone::clone).ok();
    async move {
        match context {
            Some(context) => CONTEXT.scope(context, work).await,
            None => work.await,
        }
    }
}

/// Returns a path for the log, without the telephone number in which some paths end.
fn without_number(path: &str) -> &str {
    match path.find("/do-not-call/") {
        Some(at) => path.get(..at + "/do-not-call/".len()).unwrap_or(path),
        None => path,
    }
}

/// The outermost layer, which gives each request an id, a log span and a context, and each answer the id.
///
/// The span has no query and no header, because they hold telephone numbers and keys.
pub async fn layer(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let protocol = Protocol::of(request.headers());
    let span = tracing::info_span!(
        "request",
        id = id.as_str(),
        method = %request.method(),
        path = without_number(request.uri().path()),
    );
    request.extensions_mut().insert(id.clone());
    request.headers_mut().insert(X_REQUEST_ID, id.0.clone());
    let context = Context { id: id.clone(), protocol };
    let started = tokio::time::Instant::now();
    let answer = CONTEXT.scope(context, next.run(request)).instrument(span.clone());
    let mut response = answer.await;
    span.in_scope(|| {
        let status = response.status().as_u16();
        tracing::debug!(status, ms = started.elapsed().as_secs_f64() * 1000.0, "answered");
    });
    response.headers_mut().insert(X_REQUEST_ID, id.0);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(own: &'static str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_static(own));
        RequestId::of(&headers).as_str().to_owned()
    }

    #[test]
    fn a_number_in_a_path_is_not_logged() {
        assert_eq!(without_number("/calling/api/v1/clients/do-not-call/49123"), "/calling/api/v1/clients/do-not-call/");
        assert_eq!(without_number("/calling/api/v1/admin/do-not-call"), "/calling/api/v1/admin/do-not-call");
    }

    #[test]
    fn a_sane_id_of_the_caller_is_kept() {
        assert_eq!(id_for("batch-17/4"), "batch-17/4");
    }

    #[test]
    fn any_other_id_is_replaced() {
        let long: &'static str = "x".repeat(129).leak();
        for own in ["", "two words", long] {
            let id = id_for(own);
            assert_eq!(Uuid::parse_str(&id).map(|id| id.get_version_num()), Ok(7), "{own}");
        }
    }
}
