//! The messages and services of `trunkline.v1`, which are generated from `proto/`.

mod call_filter;
mod codec;
mod descriptors;
pub mod elements;
mod timestamp;

pub use codec::BoundedCodec;
pub use descriptors::{DESCRIPTORS, FILE_DESCRIPTOR_SET};
pub use generated::*;
pub use timestamp::{OutOfRange, Timestamp};
pub(crate) use timestamp::{noticing_assumed_utc, parse as parse_time};

#[allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::cloned_instead_of_copied,
    clippy::uninlined_format_args,
    clippy::use_self,
    missing_docs,
    reason = "generated; rustdoc cannot read proto comments as Markdown"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/trunkline.v1.rs"));
    include!(concat!(env!("OUT_DIR"), "/trunkline.v1.serde.rs"));
}
