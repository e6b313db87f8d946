//! Describes what is wrong with a JSON value at a given place in a request.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::api::FieldViolation;
use crate::api::rest::did_you_mean::did_you_mean;
use crate::api::rest::json_form::{TIMESTAMP, enum_names, json_field, value_kind};
use crate::api::rest::params::Params;

/// The most characters of a client's value that an error repeats.
const MAX_QUOTED: usize = 64;

/// The value that is expected at a place in a document.
enum Expected {
    /// A message is expected.
    Message(MessageDescriptor),
    /// A whole list or map of a field is expected.
    Many(FieldDescriptor),
    /// A single value is expected: that of a field, of an element or of an entry.
    One(Kind),
}

/// Returns the violation at `path`, at which `error` stopped the parser of `document`.
pub fn describe(
    input: &MessageDescriptor,
    document: &Value,
    path: &Path,
    error: &serde_json::Error,
    params: &Params,
) -> FieldViolation {
    let mut field = String::new();
    let mut expected = Expected::Message(input.clone());
    let mut found = Some(document);
    for segment in path {
        expected = match (segment, expected) {
            (Segment::Map { key }, Expected::Message(message)) => {
                found = found.and_then(|value| value.get(key));
                let Some(descriptor) = json_field(&message, key) else {
                    push_name(&mut field, key);
                    let known = message.fields().map(|field| field.json_name().to_owned());
                    return FieldViolation { field, message: did_you_mean("unknown field", key, known) };
                };
                push_name(&mut field, descriptor.json_name());
                field_value(descriptor)
            }
            (Segment::Map { key }, Expected::Many(descriptor)) => {
                found = found.and_then(|value| value.get(key));
                push_name(&mut field, key);
                one(value_kind(&descriptor))
            }
            (Segment::Seq { index }, Expected::Many(descriptor)) => {
                found = found.and_then(|value| value.get(index));
                field.push_str(&format!("[{index}]"));
                one(value_kind(&descriptor))
            }
            (_, expected) => expected,
        };
    }
    // If the body itself is wrong, there is no field to name.
    let message = match wrong_type(&expected, found) {
        Some(message) if field.is_empty() => format!("the body: {message}"),
        Some(message) => message,
        None => return duplicate(field, error, params),
    };
    FieldViolation { field, message }
}

fn field_value(field: FieldDescriptor) -> Expected {
    if field.is_list() || field.is_map() { Expected::Many(field) } else { one(field.kind()) }
}

fn one(kind: Kind) -> Expected {
    match kind {
        Kind::Message(message) if message.full_name() != TIMESTAMP => Expected::Message(message),
        kind => Expected::One(kind),
    }
}

fn push_name(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

/// Describes a value of the wrong type. None if the value has the expected type, so that the fault is another one.
fn wrong_type(expected: &Expected, found: Option<&Value>) -> Option<String> {
    let found = found?;
    let got = |what: &str| Some(format!("expected {what}, got {}", type_name(found)));
    let quoted = |what: &str| Some(format!("expected {what}, got {}", quote(found)));
    match (expected, found) {
        (Expected::Message(_), Value::Object(_)) => None,
        (Expected::Message(_), _) => got("an object"),
        (Expected::Many(field), Value::Object(_)) if field.is_map() => None,
        (Expected::Many(field), Value::Array(_)) if field.is_list() => None,
        (Expected::Many(field), _) => got(if field.is_map() { "an object" } else { "a list" }),
        (Expected::One(Kind::String), Value::String(_)) | (Expected::One(Kind::Bool), Value::Bool(_)) => None,
        (Expected::One(Kind::String), _) => got("a string"),
        (Expected::One(Kind::Bool), _) => got("true or false"),
        (Expected::One(Kind::Double | Kind::Float), _) => got("a number"),
        (Expected::One(Kind::Enum(descriptor)), Value::String(_)) => {
            quoted(&format!("one of {}", enum_names(descriptor).join(", ")))
        }
        (Expected::One(Kind::Enum(_)), _) => got("a string"),
        (Expected::One(Kind::Bytes), _) => got("a string in base64"),
        (Expected::One(Kind::Message(_)), Value::String(_)) => quoted("an RFC 3339 time"),
        (Expected::One(Kind::Message(_)), _) => got("an RFC 3339 time in a string"),
        (Expected::One(Kind::Int32 | Kind::Sint32 | Kind::Sfixed32), Value::Number(_)) => {
            quoted(&format!("an integer from {} to {}", i32::MIN, i32::MAX))
        }
        (Expected::One(_), Value::Number(_)) => quoted("an integer of 64 bits"),
        (Expected::One(_), _) => got("an integer"),
    }
}

/// Describes the fault of a document in which every value has its type: a field that is given twice.
fn duplicate(field: String, error: &serde_json::Error, params: &Params) -> FieldViolation {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let name = text.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`'));
    let Some(name) = name else {
        return FieldViolation { field, message: text.to_owned() };
    };
    if let Some(violation) = params.given_twice(name).filter(|_| field.is_empty()) {
        return violation;
    }
    let mut path = field;
    push_name(&mut path, name);
    FieldViolation { field: path, message: "is given more than once".to_owned() }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn quote(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= MAX_QUOTED {
        return text;
    }
    text.chars().take(MAX_QUOTED).chain(['…']).collect()
}
