//! The protos' own options, as the document reads them.

use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, MethodDescriptor, Value};

use crate::pb::{DESCRIPTORS, FieldChoice, FieldRule, RestOptions};

/// What the values of a field must be.
pub fn rule(field: &FieldDescriptor) -> FieldRule {
    read(&field.options(), "trunkline.v1.rule").and_then(|rule| decode(&rule)).unwrap_or_default()
}

/// What must be given, where that depends on several fields.
pub fn choices(message: &MessageDescriptor) -> Vec<FieldChoice> {
    match read(&message.options(), "trunkline.v1.choice") {
        Some(Value::List(choices)) => choices.iter().filter_map(decode).collect(),
        _ => Vec::new(),
    }
}

/// How a method looks over REST.
pub fn rest(method: &MethodDescriptor) -> RestOptions {
    read(&method.options(), "trunkline.v1.rest").and_then(|rest| decode(&rest)).unwrap_or_default()
}

fn read(options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = DESCRIPTORS.get_extension_by_name(name)?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

fn decode<T: prost::Message + Default>(value: &Value) -> Option<T> {
    // Both sides are made from the same protos, so that what one encodes the other can read.
    value.as_message()?.transcode_to().ok()
}
