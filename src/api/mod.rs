//! The API: one port for REST, gRPC and gRPC-web, generated from the protos.

mod allowance;
pub mod auth;
pub mod background;
mod bodies;
mod browser;
pub mod context;
mod dashboard;
pub mod docs;
pub mod error;
pub mod fault;
mod field_order;
pub mod field_violation;
pub mod fields;
pub mod grpc;
pub mod health;
pub mod limits;
pub mod metrics;
pub mod openapi;
pub mod port;
pub mod readiness;
mod reasons;
pub mod rest;
pub mod server;
mod slow_bodies;
#[cfg(not(dashboard))]
mod status_page;
pub mod streams;
pub mod tls;
mod unbuffered;
pub mod validate;
pub mod violations;

pub use error::{Error, Reason};
pub use field_violation::FieldViolation;
pub use violations::{At, Violations};
