//! Routes an endpoint's paths to its service method.

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

/// The routes of one service, endpoint by endpoint; the build script writes the calls.
pub struct RestRoutes<S> {
    service: Arc<S>,
    router: Router,
}

impl<S: Send + Sync + 'static> RestRoutes<S> {
    /// No routes yet, to methods of `service`.
    #[must_use]
    pub fn new(service: Arc<S>) -> Self {
        Self { service, router: Router::new() }
    }

    /// An endpoint that answers once, with what `pick` takes from the method's answer in the envelope.
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

    /// An endpoint that answers with events, each with the cursor and data that `pick` takes from a message.
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

    /// The routes, to be merged with others.
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
            // The build script knows five verbs, and axum has a filter for each.
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

/// The metadata that a method answers with, as headers: `idempotent-replayed` and the like.
fn headers(metadata: MetadataMap) -> HeaderMap {
    metadata.into_headers()
}

/// Answers a path that nobody serves.
pub async fn not_found(OriginalUri(uri): OriginalUri) -> Response {
    let path = uri.path().to_owned();
    let error = match context::protocol() {
        Protocol::Rest => Error::NoSuchPath(path),
        Protocol::Grpc | Protocol::GrpcWeb => Error::NoSuchMethod(path),
    };
    fault::respond(error)
}

/// Answers a path that is served with other methods; axum adds `Allow`.
pub async fn method_not_allowed() -> Response {
    fault::respond(Error::MethodNotAllowed)
}
