//! The router of the API's port: REST, gRPC, gRPC-web, health, metrics and the dashboard.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::Method;
use http::header::{self, HeaderValue};
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tower::ServiceBuilder;
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;

use crate::api::auth::{Auth, authenticate};
use crate::api::background::Background;
use crate::api::bodies::Bodies;
use crate::api::context::{self, Protocol};
use crate::api::limits::{RequestLimits, limit_requests};
use crate::api::metrics::Metrics;
use crate::api::readiness::Readiness;
use crate::api::tls::Verified;
use crate::api::{
    Error, bodies, browser, dashboard, docs, fault, health, metrics, openapi, reasons, rest, slow_bodies, unbuffered,
};
use crate::pb;
use crate::pb::admin_service_server::{AdminService, AdminServiceServer};
use crate::pb::call_service_server::{CallService, CallServiceServer};
use crate::pb::client_service_server::{ClientService, ClientServiceServer};
use crate::pb::queue_service_server::{QueueService, QueueServiceServer};

/// The maximum size of a gRPC message in bytes, in either direction.
pub const MAX_GRPC_MESSAGE: usize = 16 * 1024 * 1024;

/// When a client should try again if the server is not ready or is stopping.
const NOT_READY: Duration = Duration::from_secs(1);

/// The implementations of the services, which serve both gRPC and REST.
pub struct Services<A, C, L, Q> {
    /// Implementation of `AdminService`, for administrators.
    pub admin: Arc<A>,
    /// Implementation of `CallService`, for single calls.
    pub calls: Arc<C>,
    /// Implementation of `ClientService`, for clients themselves.
    pub clients: Arc<L>,
    /// Implementation of `QueueService`, for queues and batches.
    pub queues: Arc<Q>,
}

/// How the port treats browsers and gRPC clients.
#[derive(Clone, Debug)]
pub struct Web {
    /// The origins of pages that may read answers.
    pub origins: Vec<HeaderValue>,
    /// True if the port speaks TLS.
    pub is_tls: bool,
    /// True if gRPC requests need a client certificate.
    pub grpc_needs_certificate: bool,
    /// How long the body of a gRPC request may take.
    pub body_timeout: Duration,
    /// How many requests with a body a client may have in progress.
    pub bodies_per_client: usize,
}

/// Builds the router. It serves `/metrics` only if `metrics` is given, and reads large bodies on `background`. After `stop` is cancelled, every request that
/// needs a key is answered with UNAVAILABLE.
///
/// # Errors
/// Returns an error if the descriptors for gRPC reflection cannot be read.
pub fn router<A, C, L, Q>(
    services: Services<A, C, L, Q>,
    auth: Auth,
    readiness: Readiness,
    metrics: Option<Arc<Metrics>>,
    web: &Web,
    background: Background,
    stop: CancellationToken,
) -> Result<Router, tonic_reflection::server::Error>
where
    A: AdminService,
    C: CallService,
    L: ClientService,
    Q: QueueService,
{
    // The first layer is the outermost.
    let admitted = ServiceBuilder::new()
        .layer(middleware::from_fn(unbuffered::streams))
        .layer(middleware::from_fn_with_state(stop, refuse_when_stopping))
        .layer(middleware::from_fn_with_state(auth, authenticate))
        .layer(middleware::from_fn_with_state(RequestLimits::default(), limit_requests))
        .layer(middleware::from_fn_with_state(Bodies::new(web.bodies_per_client, background), bodies::limit));
    let rest = rest_routes(&services).route_layer(admitted.clone());
    // gRPC compresses by itself, and this compression would delay the messages of its streams.
    let rest =
        rest.layer(RequestDecompressionLayer::new().pass_through_unaccepted(true)).layer(CompressionLayer::new());
    let grpc = grpc_routes(services)
        .route_layer(admitted)
        .merge(open_grpc_routes(Arc::clone(&readiness))?.route_layer(middleware::from_fn(unbuffered::all)))
        .layer(middleware::map_response(reasons::add))
        .layer(middleware::from_fn_with_state(web.body_timeout, slow_bodies::limit))
        .layer(tonic_web::GrpcWebLayer::new())
        .layer(middleware::from_fn_with_state(web.grpc_needs_certificate, need_certificate))
        .layer(middleware::from_fn(only_grpc));
    let router = rest
        .merge(grpc)
        .merge(open_routes(readiness))
        .merge(dashboard::routes())
        .merge(metrics.map_or_else(Router::new, metrics::routes))
        .fallback(rest::not_found)
        .method_not_allowed_fallback(rest::method_not_allowed)
        .layer(option_layer(browser::cors(&web.origins)))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(web.is_tls, browser::protect))
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
    /// Sets the limits and the compression of a service. The generated servers have no common trait for them.
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

/// Returns the routes of health and reflection, which need no key.
fn open_grpc_routes(readiness: Readiness) -> Result<Router, tonic_reflection::server::Error> {
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // Python's client and older ones use the alpha version, which differs only in its name.
    Ok(Routes::new(health::service(readiness))
        .add_service(described().build_v1()?)
        .add_service(described().build_v1alpha()?)
        .into_axum_router()
        .reset_fallback())
}

/// Returns the routes for people and load balancers, which need no key.
fn open_routes(readiness: Readiness) -> Router {
    Router::new()
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

/// Refuses a request while the server is stopping, so that the client tries another node.
async fn refuse_when_stopping(State(stop): State<CancellationToken>, request: Request, next: Next) -> Response {
    if stop.is_cancelled() {
        let message = "the server is stopping".to_owned();
        return fault::respond(Error::Unavailable { message, retry_after: NOT_READY });
    }
    next.run(request).await
}

/// Explains in the error body that a gRPC path was called without gRPC. tonic-web would only return 400.
async fn only_grpc(request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        let mut response = fault::respond(Error::MethodNotAllowed);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    if context::protocol() == Protocol::Rest {
        return fault::respond(Error::UnsupportedMediaType("this path accepts only gRPC and gRPC-web"));
    }
    next.run(request).await
}

/// Refuses a gRPC request on a connection without a client certificate, if they need one.
async fn need_certificate(State(needed): State<bool>, request: Request, next: Next) -> Response {
    if needed && request.extensions().get::<Verified>().is_none() {
        let message = "gRPC needs a TLS client certificate that a CA of the server has signed".to_owned();
        return fault::respond(Error::Forbidden(message));
    }
    next.run(request).await
}

/// Returns the response to a request whose handler panicked.
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message");
    fault::respond(Error::internal(format!("panic: {text}")))
}
