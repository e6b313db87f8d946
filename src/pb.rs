//! The messages and services of `trunkline.v1`, which are generated from `proto/`.

mod codec;
pub mod elements;
mod timestamp;

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

pub use codec::BoundedCodec;
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

/// The protos as an encoded `FileDescriptorSet`, with comments and options. gRPC reflection serves it.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The descriptors of the protos, resolved. A field's `json_name` is its name in REST.
pub static DESCRIPTORS: LazyLock<DescriptorPool> = LazyLock::new(|| {
    // This cannot fail: the build script has decoded the same bytes before it wrote them.
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap_or_default()
});
