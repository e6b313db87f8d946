//! Warns of times that were read as UTC because they had no offset.

use prost_reflect::{Kind, MessageDescriptor};
use serde_json::Value;

use crate::api::rest::json_form::{TIMESTAMP, json_field, value_kind};
use crate::pb;

/// Warnings about values of a body that may not have been meant, for the `warnings` of an answer.
///
/// They are in the extensions of every request over REST; a method whose answer has `warnings` copies them there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParseWarnings(pub Vec<String>);

/// Finds the times without an offset. It reads the body again, and is only called if the parser noticed such a time.
pub fn warnings(input: &MessageDescriptor, body: &[u8]) -> ParseWarnings {
    let mut found = Vec::new();
    if let Ok(document) = serde_json::from_slice(body) {
        in_message(input, &document, "", &mut found);
    }
    ParseWarnings(found)
}

fn in_message(message: &MessageDescriptor, value: &Value, path: &str, found: &mut Vec<String>) {
    let Value::Object(fields) = value else { return };
    for (name, value) in fields {
        let Some(field) = json_field(message, name) else { continue };
        let Kind::Message(kind) = value_kind(&field) else { continue };
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{}", field.json_name());
        match value {
            Value::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    in_value(&kind, element, &format!("{path}[{index}]"), found);
                }
            }
            value => in_value(&kind, value, &path, found),
        }
    }
}

fn in_value(kind: &MessageDescriptor, value: &Value, path: &str, found: &mut Vec<String>) {
    if kind.full_name() != TIMESTAMP {
        return in_message(kind, value, path, found);
    }
    let assumed_utc = value.as_str().and_then(pb::parse_time).is_some_and(|(_, assumed_utc)| assumed_utc);
    if assumed_utc {
        found.push(format!("{path}: has no offset, taken as UTC"));
    }
}
