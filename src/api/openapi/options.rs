//! Reads the options that `options.proto` adds to methods, messages and fields.

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, MessageDescriptor, MethodDescriptor, Value};

use crate::pb::{FieldChoice, FieldRule, RestOptions};

/// Returns the rule of a field, which allows everything if the field has none.
pub fn rule(field: &FieldDescriptor) -> FieldRule {
    read(field.parent_pool(), &field.options(), "trunkline.v1.rule").and_then(|rule| decode(&rule)).unwrap_or_default()
}

/// Returns the rules about several fields of a message together.
pub fn choices(message: &MessageDescriptor) -> Vec<FieldChoice> {
    match read(message.parent_pool(), &message.options(), "trunkline.v1.choice") {
        Some(Value::List(choices)) => choices.iter().filter_map(decode).collect(),
        _ => Vec::new(),
    }
}

/// Returns the details of the REST form of a method.
pub fn rest(method: &MethodDescriptor) -> RestOptions {
    read(method.parent_pool(), &method.options(), "trunkline.v1.rest")
        .and_then(|rest| decode(&rest))
        .unwrap_or_default()
}

fn read(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = pool.get_extension_by_name(name)?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

fn decode<T: prost::Message + Default>(value: &Value) -> Option<T> {
    // Both types are made from the same `options.proto`, so that one can read what the other encodes.
    value.as_message()?.transcode_to().ok()
}
