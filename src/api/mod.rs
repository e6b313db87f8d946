//! The API: one port for REST, gRPC and gRPC-web, generated from the protos.

pub mod auth;
pub mod context;
pub mod error;
pub mod fault;
pub mod grpc;
pub mod rest;
pub mod server;
pub mod validate;
pub mod violations;

pub use error::{Error, Reason};
pub use violations::{At, FieldViolation, Violations};
