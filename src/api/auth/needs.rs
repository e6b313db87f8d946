//! What a request needs of its key: the scope of the method that it is for, as the method's proto option says.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::extract::{MatchedPath, Request};
use http::Method;

use crate::api::rest::{ENDPOINTS, METHODS};
use crate::domain::scope::Scope;

/// What a request needs of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// The scope of the method.
    pub scope: Scope,
    /// True if the request or its answer is a stream, which must end when the key does.
    pub streams: bool,
}

/// A gRPC method that does not exist needs only a key: no code is behind it.
const NO_SUCH_METHOD: Needs = Needs { scope: Scope::Read, streams: false };

/// No path of REST without an endpoint gets here. If one did, it must not be open to all.
const UNKNOWN: Needs = Needs { scope: Scope::Admin, streams: false };

/// Returns true if the request or its answer is a stream. The path of the request must have been matched.
#[must_use]
pub fn streams(request: &Request) -> bool {
    of(request).streams
}

/// Returns what a request needs. Its path must have been matched.
pub fn of(request: &Request) -> Needs {
    static BY_RPC: LazyLock<HashMap<&'static str, Needs>> = LazyLock::new(|| {
        METHODS.iter().map(|method| (method.rpc, Needs { scope: method.scope, streams: method.streams })).collect()
    });
    static BY_PATH: LazyLock<HashMap<String, Needs>> = LazyLock::new(|| {
        let of_each = ENDPOINTS.iter().flat_map(|endpoint| {
            let needs = Needs { scope: endpoint.scope, streams: endpoint.streams };
            endpoint.paths().map(|path| (format!("{} {path}", endpoint.verb), needs))
        });
        of_each.collect()
    });
    if let Some(rpc) = request.uri().path().strip_prefix('/').filter(|path| path.starts_with("trunkline.v1.")) {
        return BY_RPC.get(rpc).copied().unwrap_or(NO_SUCH_METHOD);
    }
    let Some(path) = request.extensions().get::<MatchedPath>() else { return UNKNOWN };
    // The endpoints of GET also answer HEAD.
    let verb = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    BY_PATH.get(&format!("{verb} {}", path.as_str())).copied().unwrap_or(UNKNOWN)
}
