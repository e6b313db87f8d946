//! The layer that admits requests with a valid key whose scope is that of the method, before the body is read.

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::future::BoxFuture;
use http::header;
use tonic::Status;

use crate::api::auth::admission::Auth;
use crate::api::auth::ending_body::EndingBody;
use crate::api::auth::key::X_API_KEY;
use crate::api::auth::needs::{self, Needs};
use crate::api::context::{self, Protocol};
use crate::api::port::Peer;
use crate::api::{Error, fault};
use crate::domain::scope::Scope;

/// Puts the [`Caller`](crate::api::auth::Caller), the [`Origin`](crate::api::auth::Origin) and the
/// [`RequestsPerSecond`](crate::api::auth::RequestsPerSecond) into the extensions of the request, and removes the key
/// from its headers. Refuses the request if it has no valid key, or one whose scope is too small. Ends a stream when
/// its key is no longer valid.
pub async fn authenticate(State(auth): State<Auth>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(Peer(peer))| peer.ip());
    let origin = peer.map(|peer| auth.origin(peer, request.headers()));
    let admitted = match auth.admit(request.headers(), origin).await {
        Ok(admitted) => admitted,
        Err(error) => return fault::respond(error),
    };
    let Needs { scope, streams } = needs::of(&request);
    if !admitted.scope.includes(scope) {
        return fault::respond(too_small(admitted.scope, scope));
    }
    tracing::debug!(key_id = admitted.caller.key_id, "authenticated");
    request.headers_mut().remove(X_API_KEY);
    request.extensions_mut().insert(admitted.caller);
    if let Some(origin) = origin {
        request.extensions_mut().insert(origin);
    }
    if let Some(rate) = admitted.requests_per_second {
        request.extensions_mut().insert(rate);
    }
    if !streams {
        return next.run(request).await;
    }
    let end = auth.end_of(admitted.key.as_ref());
    until(Box::pin(async move { end.await.into() }), request, next).await
}

/// Serves a stream until `ended` is ready, and then ends it with that error.
async fn until(mut ended: BoxFuture<'static, Status>, request: Request, next: Next) -> Response {
    let protocol = context::protocol();
    let response = tokio::select! {
        biased;
        status = &mut ended => return fault::respond_with(status),
        response = next.run(request) => response,
    };
    // An error in place of a stream is short.
    if protocol == Protocol::Rest && !is_event_stream(&response) {
        return response;
    }
    response.map(|body| Body::new(EndingBody::new(body, ended, protocol)))
}

fn is_event_stream(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|content_type| content_type.as_bytes().starts_with(b"text/event-stream"))
}

fn too_small(has: Scope, needed: Scope) -> Error {
    Error::Forbidden(match needed {
        Scope::Admin => "needs an admin key".to_owned(),
        Scope::Read | Scope::Write => format!("needs a key with scope `{needed}`, and this key has scope `{has}`"),
    })
}
