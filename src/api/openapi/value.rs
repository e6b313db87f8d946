//! JSON schemas of single values.

use prost_reflect::Kind;

use crate::ami::MAX_BYTES;
use crate::api::openapi::node::{Object, list};
use crate::api::openapi::way::Way;
use crate::api::rest::json_form::enum_names;
use crate::pb::FieldRule;

/// Matches a text that Asterisk takes literally: one without line ends, NUL, `${` and `$[`.
const PLAIN: &str = r"^([^$\r\n\u0000]|\$+[^${\[\r\n\u0000])*\$*$";

/// Returns the schema of values of a kind under a rule. The only kind of message that it takes is `Timestamp`.
pub fn schema(kind: &Kind, rule: &FieldRule, way: Way) -> Object {
    match kind {
        Kind::Double | Kind::Float => number("number", "double", None, rule, way),
        Kind::Bool => Object::default().with("type", "boolean"),
        Kind::String => text(rule, way),
        Kind::Bytes => Object::default().with("type", "string").with("contentEncoding", "base64"),
        Kind::Enum(descriptor) if rule.only.is_empty() => values(&enum_names(descriptor)),
        Kind::Enum(_) => values(&rule.only),
        // The caller sends no other message here.
        Kind::Message(_) => Object::default().with("type", "string").with("format", "date-time"),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            number("integer", "int32", Some((i32::MIN.into(), i32::MAX.into())), rule, way)
        }
        Kind::Uint32 | Kind::Fixed32 => number("integer", "uint32", Some((0, u32::MAX.into())), rule, way),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            number("integer", "int64", Some((i64::MIN, i64::MAX)), rule, way)
        }
        Kind::Uint64 | Kind::Fixed64 => number("integer", "uint64", Some((0, i64::MAX)), rule, way),
    }
}

fn values(names: &[String]) -> Object {
    Object::default().with("type", "string").with("enum", list(names.to_vec()))
}

fn number(name: &str, format: &str, range: Option<(i64, i64)>, rule: &FieldRule, way: Way) -> Object {
    let schema = Object::default().with("type", name).with("format", format);
    if way == Way::Answer {
        return schema;
    }
    let (min, max) = (rule.min.or(range.map(|(min, _)| min)), rule.max.or(range.map(|(_, max)| max)));
    let min = if rule.above.is_some() { None } else { min };
    schema.with_some("minimum", min).with_some("exclusiveMinimum", rule.above).with_some("maximum", max)
}

fn text(rule: &FieldRule, way: Way) -> Object {
    let schema = Object::default().with("type", "string");
    let format = (!rule.format.is_empty()).then_some(rule.format.as_str());
    if way == Way::Answer {
        return schema.with_some("format", format);
    }
    if !rule.only.is_empty() {
        return values(&rule.only);
    }
    let fewest = rule.min_length.or((rule.plain || rule.required).then_some(1));
    // A character has at least one byte.
    let most = rule.max_length.or(rule.max_bytes);
    let most = most.map_or(rule.plain.then_some(MAX_BYTES), |most| usize::try_from(most).ok());
    schema
        .with_some("format", format)
        .with_some("minLength", fewest)
        .with_some("maxLength", most)
        .with_text("pattern", &pattern(rule))
}

fn pattern(rule: &FieldRule) -> String {
    match (rule.min_digits, rule.max_digits) {
        // More is read (`domain::number`); this is what a number should look like.
        (Some(fewest), Some(most)) => format!("^\\+?[1-9]([ -]?[0-9]){{{},{}}}$", fewest - 1, most - 1),
        _ if !rule.pattern.is_empty() => rule.pattern.clone(),
        _ if !rule.allowed.is_empty() => format!("^[{}]*$", rule.allowed),
        _ if rule.plain => PLAIN.to_owned(),
        _ => String::new(),
    }
}
