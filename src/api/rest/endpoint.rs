//! REST's endpoints and the API's methods, as the options of the protos describe them.

use crate::domain::scope::Scope;

/// Where every REST path begins.
pub const BASE: &str = "/calling/api/v1/";
/// Where the guide's older paths begin; the same endpoints are there.
pub const OLD_BASE: &str = "/calling/api/";

/// One verb and path of one method, as its options say. The build script fills it in.
#[derive(Debug)]
pub struct Endpoint {
    /// The method's path in gRPC, without the slash before it: `trunkline.v1.QueueService/InsertBatch`.
    pub rpc: &'static str,
    /// The full name of the request message.
    pub input: &'static str,
    /// The HTTP method of the endpoint.
    pub verb: http::Method,
    /// Below [`BASE`], without a slash behind it; parameters stand in braces.
    pub path: &'static str,
    /// Whether the request message is read from a body.
    pub has_body: bool,
    /// The field of the answer that is the envelope's `data`; none: the whole answer.
    pub response_body: Option<&'static str>,
    /// Whether it answers with Server-Sent Events.
    pub streams: bool,
    /// The `message` of the envelope after success.
    pub message: &'static str,
    /// The scope that a key needs for it.
    pub scope: Scope,
}

/// A method of the API, as its options say. The build script fills it in.
#[derive(Debug)]
pub struct Method {
    /// The method's path in gRPC, without the slash before it: `trunkline.v1.QueueService/InsertBatch`.
    pub rpc: &'static str,
    /// The scope that a key needs for it.
    pub scope: Scope,
    /// True if its request or its answer is a stream, which is open for any length of time.
    pub streams: bool,
}

impl Endpoint {
    /// Every path that it is served at: under both bases, with and without a slash at the end.
    pub(crate) fn paths(&self) -> [String; 4] {
        let below = self.path.strip_prefix(BASE).unwrap_or(self.path);
        [
            format!("{BASE}{below}"),
            format!("{BASE}{below}/"),
            format!("{OLD_BASE}{below}"),
            format!("{OLD_BASE}{below}/"),
        ]
    }
}
