//! Routes the paths of an endpoint to its service method.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use futures_util::Stream;
use http::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::{Status, metadata::MetadataMap};

use crate::api::context::{self, Protocol};
use crate::api::rest::endpoint::Endpoint;
use crate::api::rest::{events, request, write};
use crate::api::{Error, fault};

/// The routes of one service. The build script writes the calls that add its endpoints.
pub struct RestRoutes<S> {
    service: Arc<S>,
    router: Router,
}

impl<S: Send + Sync + 'static> RestRoutes<S> {
    /// Makes an empty set of routes to methods of `service`.
    #[must_use]
    pub fn new(service: Arc<S>) -> Self {
        Self { service, router: Router::new() }
    }

    /// Adds an endpoint that answers once; `pick` returns the part of the method's answer that is the envelope's data.
    #[must_use]
    pub fn unary<Req, Res, Data, Answer>(
        self,
        endpoint: &'static Endpoint,
        call: impl Fn(Arc<S>, tonic::Request<Req>) -> Answer + Copy + Send + Sync + 'static,
        pick: impl Fn(Res) -> Data + Copy + Send + Sync + 'static,
    ) -> Self
    where
        Req: DeserializeOwned + Send + 'static,
        Data: Serialize,
        Answer: Future<Output = Result<tonic::Response<Res>, Status>> + Send,
    {
        self.route(endpoint, move |service, request| async move {
            let answer = request::within_deadline(async {
                let request = request::read::<Req>(endpoint, request).await?;
                call(service, request).await
            });
            let (metadata, message, _) = answer.await?.into_parts();
            let envelope = write::envelope(endpoint.message, &pick(message))?;
            Ok((headers(metadata), envelope).into_response())
        })
    }

    /// Adds an endpoint that answers with events; `pick` returns the cursor and the data of a message.
    #[must_use]
    pub fn stream<Req, Res, Data, Messages, Answer>(
        self,
        endpoint: &'static Endpoint,
        call: impl Fn(Arc<S>, tonic::Request<Req>) -> Answer + Copy + Send + Sync + 'static,
        pick: impl Fn(Res) -> Option<(i64, Data)> + Copy + Send + Sync + 'static,
    ) -> Self
    where
        Req: DeserializeOwned + Send + 'static,
        Res: Send + 'static,
        Data: Serialize,
        Messages: Stream<Item = Result<Res, Status>> + Send + 'static,
        Answer: Future<Output = Result<tonic::Response<Messages>, Status>> + Send,
    {
        self.route(endpoint, move |service, request| async move {
            let request = request::within_deadline(request::read::<Req>(endpoint, request)).await?;
            let (metadata, messages, _) = call(service, request).await?.into_parts();
            let events = events::answer(messages, pick).await?;
            Ok((headers(metadata), events).into_response())
        })
    }

    /// Returns the routes, to be merged with those of other services.
    pub fn into_router(self) -> Router {
        self.router
    }

    fn route<Answer>(
        mut self,
        endpoint: &'static Endpoint,
        handle: impl Fn(Arc<S>, Request) -> Answer + Copy + Send + Sync + 'static,
    ) -> Self
    where
        Answer: Future<Output = Result<Response, Status>> + Send,
    {
        let Ok(verb) = MethodFilter::try_from(endpoint.verb.clone()) else {
            // This cannot happen: the build script knows five verbs, and axum has a filter for each.
            return self;
        };
        for path in endpoint.paths() {
            let service = Arc::clone(&self.service);
            let handler = move |request: Request| async move {
                let answer = handle(service, request).await;
                answer.unwrap_or_else(|status| fault::rest(&status))
            };
            self.router = self.router.route(&path, on(verb, handler));
        }
        self
    }
}

/// Converts the metadata of a method's answer, as `idempotent-replayed`, to headers.
fn headers(metadata: MetadataMap) -> HeaderMap {
    metadata.into_headers()
}

/// Answers a request for a path that does not exist.
pub async fn not_found(OriginalUri(uri): OriginalUri) -> Response {
    let path = uri.path().to_owned();
    let error = match context::protocol() {
        Protocol::Rest => Error::NoSuchPath(path),
        Protocol::Grpc | Protocol::GrpcWeb => Error::NoSuchMethod(path),
    };
    fault::respond(error)
}

/// Answers a request for a path that exists with other methods; axum adds the header `Allow`.
pub async fn method_not_allowed() -> Response {
    fault::respond(Error::MethodNotAllowed)
}
