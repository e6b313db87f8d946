//! The descriptors of the protos.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

/// The protos as an encoded `FileDescriptorSet`, with comments and options. gRPC reflection serves it.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The descriptors of the protos, resolved. A field's `json_name` is its name in REST.
pub static DESCRIPTORS: LazyLock<DescriptorPool> = LazyLock::new(|| {
    // This cannot fail: the build script has decoded the same bytes before it wrote them.
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap_or_default()
});
