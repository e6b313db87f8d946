//! Compiles the `.proto` files into descriptors.

use std::error::Error;

use heck::ToLowerCamelCase;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};

/// The protos of the package, compiled.
pub struct Compiled {
    /// An encoded `FileDescriptorSet`, with comments and custom options.
    pub descriptors: Vec<u8>,
    /// The same descriptors, resolved.
    pub pool: DescriptorPool,
}

/// Compiles every file in `trunkline/v1` of each of the folders. It does not need `protoc`.
pub fn compile(folders: &[&str]) -> Result<Compiled, Box<dyn Error>> {
    let mut files = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(format!("{folder}/trunkline/v1"))? {
            files.push(format!("trunkline/v1/{}", entry?.file_name().to_string_lossy()));
        }
    }
    files.sort();
    let mut compiler = protox::Compiler::new(folders)?;
    compiler.include_imports(true).include_source_info(true).open_files(&files)?;
    let descriptors = with_rest_names(&compiler.encode_file_descriptor_set())?;
    let pool = DescriptorPool::decode(descriptors.as_slice())?;
    Ok(Compiled { descriptors, pool })
}

/// Sets the JSON name of each field to its name in the proto, unless the proto sets another one.
///
/// The REST contract is snake_case except for the names that it spells out, while protobuf's default is camelCase. With
/// the names set in the descriptors, all that reads descriptors (JSON code, error paths, OpenAPI, reflection) agrees on
/// them.
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
