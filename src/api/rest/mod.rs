//! REST by transcoding: each `google.api.http` option in the protos becomes a route to the method that gRPC calls.

mod did_you_mean;
mod edits;
mod endpoint;
mod events;
pub(crate) mod json_form;
mod legacy_forms;
mod mask;
mod nulls;
mod number_texts;
pub(crate) mod params;
pub(crate) mod read;
mod request;
mod routes;
mod times;
mod trailing_commas;
pub(crate) mod type_errors;
mod write;

pub use endpoint::{BASE, Endpoint, Method, OLD_BASE};
pub use number_texts::searched_number;
pub use routes::{RestRoutes, method_not_allowed, not_found};
pub use times::ParseWarnings;
pub use write::{Answer, message};

include!(concat!(env!("OUT_DIR"), "/routes.rs"));
