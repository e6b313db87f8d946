//! The messages and services of `trunkline.v1`, generated from `proto/`.

mod timestamp;

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

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

/// The protos as an encoded `FileDescriptorSet`, with comments and options: what gRPC reflection serves.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The protos, resolved. A field's `json_name` is its name in REST.
pub static DESCRIPTORS: LazyLock<DescriptorPool> = LazyLock::new(|| {
    // The build script decodes the very same bytes before it writes them, so that this cannot fail.
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap_or_default()
});
