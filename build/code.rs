//! Generates the Rust code of messages and services, and of their JSON.

use std::error::Error;

use prost::Message;

use crate::PACKAGE;
use crate::descriptors::Compiled;

/// Writes `trunkline.v1.rs` (messages, clients, servers) and `trunkline.v1.serde.rs` (their JSON) to `OUT_DIR`.
pub fn generate(compiled: &Compiled) -> Result<(), Box<dyn Error>> {
    let timestamp = (".google.protobuf.Timestamp", "crate::pb::Timestamp");
    let package = format!(".{PACKAGE}");

    let mut code = tonic_prost_build::configure()
        .compile_well_known_types(true)
        .codec_path("crate::pb::BoundedCodec")
        .extern_path(timestamp.0, timestamp.1)
        .btree_map(&package);
    let mut json = pbjson_build::Builder::new();
    json.register_descriptors(&compiled.descriptors)?
        .extern_path(timestamp.0, timestamp.1)
        .btree_map([&package])
        // The contract promises that counts, flags and lists are present even if they are zero, false or empty.
        .emit_fields();

    // pbjson writes enums as `IN_PROGRESS`; the contract has `in-progress`, which is serde's kebab-case.
    for descriptor in compiled.pool.all_enums() {
        if descriptor.package_name() != PACKAGE {
            continue;
        }
        let path = format!(".{}", descriptor.full_name());
        let unspecified = format!("{path}.{}", descriptor.default_value().name());
        code = code
            .enum_attribute(&path, "#[derive(::serde::Serialize, ::serde::Deserialize)]")
            .enum_attribute(&path, "#[serde(rename_all = \"kebab-case\")]")
            // `src/api/rest/nulls.rs` turns `null` into this text, which no client would send.
            .field_attribute(unspecified, r#"#[serde(rename(deserialize = "\0absent"))]"#);
        json.exclude([path]);
    }
    let mut config = prost_build::Config::new();
    // The codec knows a request by its name.
    config.enable_type_names();
    let files = prost_reflect::prost_types::FileDescriptorSet::decode(compiled.descriptors.as_slice())?;
    code.compile_fds_with_config(files, config)?;
    json.build(&[package])?;
    Ok(())
}
