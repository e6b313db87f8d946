//! Requests in the formats of gRPC and gRPC-web, from any address and with any key.

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderValue, Method, Request, Version};
use tonic::Code;
use trunkline::api::port::Peer;

use crate::support::{Answer, App};

pub const GRPC: &str = "application/grpc";
pub const GRPC_WEB: &str = "application/grpc-web+proto";

impl App {
    /// Makes a request of `rpc` in the format of gRPC or gRPC-web.
    pub fn rpc(&self, rpc: &str, content_type: &'static str, message: &impl prost::Message) -> Request<Body> {
        let message = message.encode_to_vec();
        let mut frame = vec![0];
        frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        frame.extend(message);
        let mut request = self.request(Method::POST, &format!("/trunkline.v1.{rpc}"), frame);
        request.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
        if content_type == GRPC {
            *request.version_mut() = Version::HTTP_2;
        }
        request
    }
}

impl Answer {
    /// Returns the code in the headers, if the answer has no body.
    pub fn grpc_code(&self) -> Option<Code> {
        assert_eq!(self.status, 200, "{}", self.text());
        self.header("grpc-status").map(|code| Code::from_bytes(code.as_bytes()))
    }
}

/// Lets a request come from an address.
pub fn from(address: &str, mut request: Request<Body>) -> Request<Body> {
    let peer = Peer((address.parse::<std::net::IpAddr>().unwrap(), 4711).into());
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

/// Gives a request another key, or none.
pub fn with(key: Option<&str>, mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().remove("x-api-key");
    if let Some(key) = key {
        request.headers_mut().insert("x-api-key", HeaderValue::from_str(key).unwrap());
    }
    request
}
