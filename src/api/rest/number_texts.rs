//! Telephone numbers that are integers in JSON, but cannot be: those with a prefix that an integer loses.
//!
//! A field `contact_number` that is a text such as `030 23125018` is read as the field `contact_number_text`. So is a
//! number with a fraction or an exponent, as spreadsheets write them: it is then refused for what it is.

use jsonc_parser::ast::{Object, ObjectPropName, Value};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value as Json;

use crate::api::rest::edits::{self, Edit};
use crate::api::rest::json_form::{json_field, value_kind};
use crate::domain::number::{NumberError, Numbering, read_field};

/// The integer that may be written as a text.
const NAME: &str = "contact_number";
/// The field that holds the text.
const TEXT: &str = "contact_number_text";
/// The field of a search that says that the integer is a national number.
const NATIONAL: &str = "contact_number_national";

/// Reads the text of a telephone number that is a parameter, as the fields that a search needs. None if `field` is not a
/// telephone number, or if the text is an integer as well.
pub fn searched(field: &FieldDescriptor, text: &str) -> Option<Result<[(String, Json); 2], NumberError>> {
    if field.name() != NAME || text.is_empty() || is_integer(text) {
        return None;
    }
    let fields = |(integer, is_national): (i64, bool)| {
        [(NAME.to_owned(), integer.into()), (NATIONAL.to_owned(), is_national.into())]
    };
    Some(searched_number(text).map(fields))
}

/// Reads the text of a telephone number that is searched for, as an integer, and whether it is a national number.
///
/// # Errors
/// Says why the text is no number.
pub fn searched_number(text: &str) -> Result<(i64, bool), NumberError> {
    let number = read_field(text)?;
    Numbering::default().check(&number)?;
    let digits = Numbering::listed(&number);
    // No call has a number that is too large.
    Ok((digits.parse().unwrap_or(i64::MAX), digits.starts_with('0')))
}

/// Returns the field for the text of a number that cannot be an integer. None if `field` is not a telephone number, or
/// if the text is an integer as well.
fn text_field(input: &MessageDescriptor, field: &FieldDescriptor, text: &str) -> Option<FieldDescriptor> {
    (field.name() == NAME && !is_integer(text)).then(|| input.get_field_by_name(TEXT)).flatten()
}

/// Returns `body` with the texts of telephone numbers under the names of their own fields. None if it has none, or is
/// not JSON.
pub fn renamed(input: &MessageDescriptor, body: &[u8]) -> Option<String> {
    if !may_have_one(body) {
        return None;
    }
    edits::edited(body, |object, edits| in_message(input, object, edits))
}

/// Returns false if no number in a body is anything but an integer. It costs far less than to parse the body.
fn may_have_one(body: &[u8]) -> bool {
    const QUOTED: &[u8] = b"\"contact_number\"";
    memchr::memmem::find_iter(body, QUOTED).any(|at| {
        let rest = body.get(at + QUOTED.len()..).unwrap_or_default().trim_ascii_start();
        let Some(value) = rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start) else { return false };
        let end = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\r' | b'\n' | b'\t');
        match value.strip_prefix(b"\"") {
            Some(text) => {
                let text = text.split(|byte| *byte == b'"').next().unwrap_or_default();
                std::str::from_utf8(text).is_ok_and(|text| !is_integer(text))
            }
            None => {
                value.split(end).next().is_some_and(|token| token.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')))
            }
        }
    })
}

/// Returns true if a text means the same as an integer. A leading zero is a national prefix.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
}

fn in_message(message: &MessageDescriptor, object: &Object<'_>, edits: &mut Vec<Edit>) {
    for property in &object.properties {
        let ObjectPropName::String(name) = &property.name else { continue };
        let Some(field) = json_field(message, &name.value) else { continue };
        match (&property.value, value_kind(&field)) {
            (Value::StringLit(text), _) if text_field(message, &field, &text.value).is_some() => {
                edits.push((name.range, names()));
            }
            (Value::NumberLit(number), _)
                if is_fraction(number.value) && text_field(message, &field, number.value).is_some() =>
            {
                edits.push((name.range, names()));
                edits.push((number.range, format!("\"{}\"", number.value)));
            }
            (Value::Object(object), Kind::Message(kind)) if !field.is_map() => in_message(&kind, object, edits),
            (Value::Array(list), Kind::Message(kind)) => {
                let objects = list.elements.iter().filter_map(Value::as_object);
                objects.for_each(|object| in_message(&kind, object, edits));
            }
            _ => {}
        }
    }
}

/// Returns what takes the place of the field's name. The number that is given besides tells where the text was.
fn names() -> String {
    format!("\"{NAME}\": 0, \"{TEXT}\"")
}

/// Returns true if a number would be read as an integer although it has a fraction or an exponent.
fn is_fraction(number: &str) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.contains(['.', 'e', 'E'])
        && number.parse::<f64>().is_ok_and(|value| value.fract() == 0.0 && value.abs() < EXACT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::DESCRIPTORS;

    fn read(body: &str) -> Option<String> {
        renamed(&DESCRIPTORS.get_message_by_name("trunkline.v1.InsertBatchRequest").unwrap(), body.as_bytes())
    }

    #[test]
    fn a_number_that_is_no_integer_gets_a_field_of_its_own() {
        for (value, text) in [
            (r#""030 23125018""#, r#""030 23125018""#),
            (r#""+49 30 23125018""#, r#""+49 30 23125018""#),
            ("9.19877E+11", r#""9.19877E+11""#),
            ("12025550143.0", r#""12025550143.0""#),
            (r#""a\"b""#, r#""a\"b""#),
        ] {
            let body = format!(r#"{{"data": [{{}}, {{ "contact_number" : {value}, "retry": 1}},]}}"#);
            let expected =
                format!(r#"{{"data": [{{}}, {{ "contact_number": 0, "contact_number_text" : {text}, "retry": 1}},]}}"#);
            assert_eq!(read(&body), Some(expected));
        }
    }

    #[test]
    fn integers_and_what_only_looks_like_a_number_are_left_alone() {
        for body in [
            r#"{"data": [{"contact_number": 12025550143}]}"#,
            r#"{"data": [{"contact_number": "12025550143"}, {"contact_number": "0"}]}"#,
            r#"{"data": [{"contact_number": 1e40}]}"#,
            r#"{"data": [{"contact_number": []}]}"#,
            r#"{"data": [{"contact_number": null}]}"#,
            r#"{"data": [{"action": {"variables": {"contact_number": "030"}}}]}"#,
            r#"{"data": [{"project": "\"contact_number\": \"030\""}]}"#,
            r#"{"contact_number": "030"}"#,
            r#"{"data": [{"contact_number": "030"}"#,
        ] {
            assert_eq!(read(body), None, "{body}");
        }
    }
}
