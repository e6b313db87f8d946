//! From `.proto` files to descriptors, messages, services and their JSON.

use std::error::Error;

use heck::ToLowerCamelCase;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};

use crate::PACKAGE;

/// The protos, compiled.
pub struct Compiled {
    /// An encoded FileDescriptorSet, with comments and custom options.
    pub descriptors: Vec<u8>,
    /// The same, resolved.
    pub pool: DescriptorPool,
}

/// Compiles everything below `proto/trunkline`, with no `protoc` at hand.
pub fn compile() -> Result<Compiled, Box<dyn Error>> {
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true);
    let mut files = Vec::new();
    for entry in std::fs::read_dir("proto/trunkline/v1")? {
        files.push(format!("trunkline/v1/{}", entry?.file_name().to_string_lossy()));
    }
    files.sort();
    compiler.open_files(&files)?;
    let descriptors = with_rest_names(&compiler.encode_file_descriptor_set())?;
    let pool = DescriptorPool::decode(descriptors.as_slice())?;
    Ok(Compiled { descriptors, pool })
}

/// Makes a field's JSON name its own name, unless the proto names another one.
///
/// The REST contract is snake_case but for what it spells out, while protobuf's default is camelCase. With the rule
/// in the descriptors, everything that reads them (JSON code, error paths, OpenAPI, reflection) agrees on the names.
fn with_rest_names(descriptors: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let descriptor = prost_reflect::prost_types::FileDescriptorSet::default().descriptor();
    let mut set = DynamicMessage::decode(descriptor, descriptors)?;
    for file in messages(&mut set, "file") {
        for message in messages(file, "message_type") {
            rename_fields(message);
        }
    }
    Ok(set.encode_to_vec())
}

fn rename_fields(message: &mut DynamicMessage) {
    for field in messages(message, "field") {
        let name = text(field, "name");
        if text(field, "json_name") == name.to_lower_camel_case() {
            field.set_field_by_name("json_name", Value::String(name));
        }
    }
    for nested in messages(message, "nested_type") {
        rename_fields(nested);
    }
}

fn messages<'a>(parent: &'a mut DynamicMessage, field: &str) -> impl Iterator<Item = &'a mut DynamicMessage> {
    parent
        .get_field_by_name_mut(field)
        .and_then(Value::as_list_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_message_mut)
}

fn text(message: &DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Writes `trunkline.v1.rs` (messages, clients, servers) and `trunkline.v1.serde.rs` (their JSON).
pub fn generate_code(compiled: &Compiled) -> Result<(), Box<dyn Error>> {
    let timestamp = (".google.protobuf.Timestamp", "crate::pb::Timestamp");
    let package = format!(".{PACKAGE}");

    let mut code = tonic_prost_build::configure()
        .compile_well_known_types(true)
        .extern_path(timestamp.0, timestamp.1)
        .btree_map(&package);
    let mut json = pbjson_build::Builder::new();
    json.register_descriptors(&compiled.descriptors)?
        .extern_path(timestamp.0, timestamp.1)
        .btree_map([&package])
        // Counts, flags and lists are always there; what was never set is not.
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
            // What `null` becomes (src/api/rest/nulls.rs), and no text that a client would write.
            .field_attribute(unspecified, r#"#[serde(rename(deserialize = "\0absent"))]"#);
        json.exclude([path]);
    }
    code.compile_fds(prost_reflect::prost_types::FileDescriptorSet::decode(compiled.descriptors.as_slice())?)?;
    json.build(&[package])?;
    Ok(())
}
