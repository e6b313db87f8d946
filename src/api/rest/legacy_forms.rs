//! What clients of the guide send for a field that they leave out, and how they write telephone numbers.
//!
//! Forms on web pages and arrays of PHP know no `null`: a field without a value is an empty text, an empty map is an
//! empty list, an id that does not exist is 0, and a telephone number of digits alone is a number. In the requests of the
//! guide these are read as what they mean.

use jsonc_parser::ast::{Object, ObjectPropName, Value};
use memchr::memmem;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::api::rest::edits::{self, Edit};
use crate::api::rest::json_form::{json_field, value_kind};

/// The requests with calls that the guide describes, and whose clients know no other way.
const REQUESTS: [&str; 2] = ["trunkline.v1.InsertBatchRequest", "trunkline.v1.CreateQuickCallRequest"];

/// The field whose id is 0 for a new queue.
const QUEUE_ID: &str = "queue_id";

/// The fields that hold a telephone number as a text.
const NUMBERS: [&str; 4] = ["number1", "number2", "did", "caller_id"];

/// Returns `body` with `null` in place of what means that a field is left out, an object in place of an empty list that
/// is a map, and quotes around telephone numbers. None if there is nothing to change, or the body is not JSON.
pub fn rewritten(input: &MessageDescriptor, body: &[u8]) -> Option<String> {
    if !REQUESTS.contains(&input.full_name()) || !may_have_one(body) {
        return None;
    }
    edits::edited(body, |object, edits| in_message(input, object, edits))
}

/// Returns false if a body has none of these. It costs far less than to parse the body.
fn may_have_one(body: &[u8]) -> bool {
    if memmem::find(body, b"\"\"").is_some() {
        return true;
    }
    let begins = |name: &str, first: fn(u8) -> bool| {
        let quoted = format!("\"{name}\"");
        memmem::find_iter(body, quoted.as_bytes()).any(|at| {
            let rest = body.get(at + quoted.len()..).unwrap_or_default().trim_ascii_start();
            let value = rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
            value.and_then(<[u8]>::first).is_some_and(|byte| first(*byte))
        })
    };
    begins("variables", |byte| byte == b'[')
        || begins(QUEUE_ID, |byte| matches!(byte, b'0' | b'"'))
        || NUMBERS.iter().any(|name| begins(name, |byte| byte.is_ascii_digit()))
}

fn in_message(message: &MessageDescriptor, object: &Object<'_>, edits: &mut Vec<Edit>) {
    for property in &object.properties {
        let ObjectPropName::String(name) = &property.name else { continue };
        let Some(field) = json_field(message, &name.value) else { continue };
        match (&property.value, value_kind(&field)) {
            (Value::StringLit(text), _) if text.value.is_empty() && !field.is_list() => {
                edits.push((text.range, "null".to_owned()));
            }
            (Value::StringLit(text), _) if is_no_queue(&field, &text.value) => {
                edits.push((text.range, "null".to_owned()));
            }
            (Value::NumberLit(number), _) if is_no_queue(&field, number.value) => {
                edits.push((number.range, "null".to_owned()));
            }
            (Value::NumberLit(number), Kind::String) if is_number(&field, number.value) => {
                edits.push((number.range, format!("\"{}\"", number.value)));
            }
            (Value::Array(list), _) if field.is_map() && list.elements.is_empty() => {
                edits.push((list.range, "{}".to_owned()));
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

fn is_no_queue(field: &FieldDescriptor, value: &str) -> bool {
    field.name() == QUEUE_ID && field.supports_presence() && value == "0"
}

/// Returns true if a number without a fraction stands where a telephone number is meant. A number cannot begin with a
/// 0 or a `+` in JSON, so that nothing of it is lost.
fn is_number(field: &FieldDescriptor, value: &str) -> bool {
    NUMBERS.contains(&field.name()) && value.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::DESCRIPTORS;

    fn read(message: &str, body: &str) -> Option<String> {
        rewritten(&DESCRIPTORS.get_message_by_name(&format!("trunkline.v1.{message}")).unwrap(), body.as_bytes())
    }

    #[test]
    fn what_means_nothing_is_null_and_a_telephone_number_is_a_text() {
        let body = r#"{"batch_id": 1, "queue_id": "", "data": [{"project": "", "deadline" : "", "caller_id": 49301234,
            "action": {"Channel": "PJSIP/1@e", "variables": [], "Data": ""}, "retry": ""}, {}],}"#;
        let expected = r#"{"batch_id": 1, "queue_id": null, "data": [{"project": null, "deadline" : null, "caller_id": "49301234",
            "action": {"Channel": "PJSIP/1@e", "variables": {}, "Data": null}, "retry": null}, {}],}"#;
        assert_eq!(read("InsertBatchRequest", body).as_deref(), Some(expected));
        for none in ["0", r#""0""#, r#""""#] {
            let body = format!(r#"{{"queue_id":{none},"data":[]}}"#);
            assert_eq!(read("InsertBatchRequest", &body).as_deref(), Some(r#"{"queue_id":null,"data":[]}"#));
        }
        let body = r#"{"number1": 123, "number2": "", "did": 4711}"#;
        let expected = r#"{"number1": "123", "number2": null, "did": "4711"}"#;
        assert_eq!(read("CreateQuickCallRequest", body).as_deref(), Some(expected));
    }

    #[test]
    fn everything_else_is_left_alone() {
        for (message, body) in [
            ("InsertBatchRequest", r#"{"batch_id": 0, "queue_id": 10, "data": [{"project": "a", "retry": 0}]}"#),
            ("InsertBatchRequest", r#"{"dids": [""], "data": [{"action": {"variables": {"A": ""}}}]}"#),
            ("InsertBatchRequest", r#"{"unknown": "", "data": [{"caller_id": 1.5, "project": 5}]}"#),
            ("InsertBatchRequest", r#"{"project": "", "data": ["#),
            ("UpdateServerRequest", r#"{"national_prefix": ""}"#),
        ] {
            assert_eq!(read(message, body), None, "{body}");
        }
    }
}
