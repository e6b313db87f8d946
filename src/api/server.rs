//! The one port: REST, gRPC, gRPC-web, health and the status page in one router.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use http::Method;
use http::header::{self, HeaderName, HeaderValue};
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{Any as AnyOrigin, CorsLayer};
use tower_http::decompression::RequestDecompressionLayer;

use crate::api::auth::{Auth, authenticate};
use crate::api::context::{self, Protocol, X_REQUEST_ID};
use crate::api::limits::{RequestLimits, limit_requests};
use crate::api::metrics::Metrics;
use crate::api::readiness::Readiness;
use crate::api::{Error, docs, fault, health, metrics, openapi, rest};
use crate::pb;
use crate::pb::admin_service_server::{AdminService, AdminServiceServer};
use crate::pb::call_service_server::{CallService, CallServiceServer};
use crate::pb::client_service_server::{ClientService, ClientServiceServer};
use crate::pb::queue_service_server::{QueueService, QueueServiceServer};

/// The largest gRPC message, in bytes, both ways.
pub const MAX_GRPC_MESSAGE: usize = 16 * 1024 * 1024;

/// When to ask again where the server is not ready.
const NOT_READY: Duration = Duration::from_secs(1);

/// Headers of an answer that a page in a browser may read.
const EXPOSED: [HeaderName; 6] = [
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
    HeaderName::from_static("idempotent-replayed"),
    X_REQUEST_ID,
    header::RETRY_AFTER,
];

/// The implementations of the services, one each for gRPC and REST alike.
pub struct Services<A, C, L, Q> {
    /// Serves `AdminService`.
    pub admin: Arc<A>,
    /// Serves `CallService`.
    pub calls: Arc<C>,
    /// Serves `ClientService`.
    pub clients: Arc<L>,
    /// Serves `QueueService`.
    pub queues: Arc<Q>,
}

/// Everything that is served; `/metrics` where there are any. Once `stop` is cancelled, what needs a key is answered with
/// UNAVAILABLE.
///
/// # Errors
/// If the descriptors that reflection serves cannot be read.
pub fn router<A, C, L, Q>(
    services: Services<A, C, L, Q>,
    auth: Auth,
    readiness: Readiness,
    metrics: Option<Arc<Metrics>>,
    stop: CancellationToken,
) -> Result<Router, tonic_reflection::server::Error>
where
    A: AdminService,
    C: CallService,
    L: ClientService,
    Q: QueueService,
{
    // From the outside in.
    let admitted = ServiceBuilder::new()
        .layer(middleware::from_fn_with_state(stop, refuse_when_stopping))
        .layer(middleware::from_fn_with_state(auth, authenticate))
        .layer(middleware::from_fn_with_state(RequestLimits::default(), limit_requests));
    let rest = rest_routes(&services).route_layer(admitted.clone());
    // Bodies of gRPC have their own compression, and its streams must not be held back by ours.
    let rest =
        rest.layer(RequestDecompressionLayer::new().pass_through_unaccepted(true)).layer(CompressionLayer::new());
    let grpc = grpc_routes(services)
        .route_layer(admitted)
        .merge(open_grpc_routes(Arc::clone(&readiness))?)
        .layer(tonic_web::GrpcWebLayer::new())
        .layer(middleware::from_fn(only_grpc));
    let router = rest
        .merge(grpc)
        .merge(open_routes(readiness))
        .merge(metrics.map_or_else(Router::new, metrics::routes))
        .fallback(rest::not_found)
        .method_not_allowed_fallback(rest::method_not_allowed)
        .layer(cors())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(metrics::measure))
        .layer(middleware::from_fn(context::layer));
    Ok(router)
}

fn rest_routes<A, C, L, Q>(services: &Services<A, C, L, Q>) -> Router
where
    A: AdminService,
    C: CallService,
    L: ClientService,
    Q: QueueService,
{
    rest::admin_service_routes(Arc::clone(&services.admin))
        .merge(rest::call_service_routes(Arc::clone(&services.calls)))
        .merge(rest::client_service_routes(Arc::clone(&services.clients)))
        .merge(rest::queue_service_routes(Arc::clone(&services.queues)))
}

fn grpc_routes<A, C, L, Q>(services: Services<A, C, L, Q>) -> Router
where
    A: AdminService,
    C: CallService,
    L: ClientService,
    Q: QueueService,
{
    /// The limits and compression of every service; the generated servers share no trait that would carry them.
    macro_rules! server {
        ($server:ident, $service:expr) => {
            $server::from_arc($service)
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(MAX_GRPC_MESSAGE)
                .max_encoding_message_size(MAX_GRPC_MESSAGE)
        };
    }
    Routes::new(server!(AdminServiceServer, services.admin))
        .add_service(server!(CallServiceServer, services.calls))
        .add_service(server!(ClientServiceServer, services.clients))
        .add_service(server!(QueueServiceServer, services.queues))
        .into_axum_router()
        .reset_fallback()
}

/// Health and reflection, which need no key.
fn open_grpc_routes(readiness: Readiness) -> Result<Router, tonic_reflection::server::Error> {
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // Python's and older clients ask for the alpha version; the two differ in their name alone.
    Ok(Routes::new(health::service(readiness))
        .add_service(described().build_v1()?)
        .add_service(described().build_v1alpha()?)
        .into_axum_router()
        .reset_fallback())
}

/// What people and load balancers look at without a key.
fn open_routes(readiness: Readiness) -> Router {
    Router::new()
        .route("/", get(status_page))
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/openapi.json", get(openapi::serve))
        .merge(docs::routes())
        .layer(CompressionLayer::new())
        .with_state(readiness)
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    match readiness().await {
        Ok(()) => "ready".into_response(),
        Err(message) => fault::respond(Error::Unavailable { message, retry_after: NOT_READY }),
    }
}

/// Sends whoever comes while the server stops to another node.
async fn refuse_when_stopping(State(stop): State<CancellationToken>, request: Request, next: Next) -> Response {
    if stop.is_cancelled() {
        let message = "the server stops".to_owned();
        return fault::respond(Error::Unavailable { message, retry_after: NOT_READY });
    }
    next.run(request).await
}

async fn status_page() -> Html<String> {
    Html(include_str!("status.html").replace("{version}", env!("CARGO_PKG_VERSION")))
}

/// Tells whoever calls a gRPC path without gRPC what is wrong, in the error body; tonic-web would say 400 and no more.
async fn only_grpc(request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        let mut response = fault::respond(Error::MethodNotAllowed);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    if context::protocol() == Protocol::Rest {
        return fault::respond(Error::UnsupportedMediaType("this path speaks gRPC and gRPC-web only"));
    }
    next.run(request).await
}

fn cors() -> CorsLayer {
    // Keys come in a header that no browser adds by itself, so that any origin may ask.
    CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(AnyOrigin)
        .expose_headers(EXPOSED)
        .max_age(Duration::from_secs(3600))
}

/// The answer in place of one that a panic prevented.
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("of an unknown kind");
    fault::respond(Error::internal(format!("panic: {text}")))
}
