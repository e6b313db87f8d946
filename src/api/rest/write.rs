//! Writes an answer as JSON in the envelope, and changes what pbjson writes to what the contract wants.

use std::collections::HashMap;

use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderValue};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};

use crate::api::Error;
use crate::api::rest::json_form::{JsonForm, forms_of};

/// The body of every successful answer over REST.
#[derive(serde::Serialize)]
struct Envelope<'a, T> {
    message: &'a str,
    status: &'a str,
    data: Answer<'a, T>,
}

/// A message, or a value that holds messages, in the JSON of REST.
///
/// pbjson passes the full name of a message to its serializer, so that the form of each field can be looked up while it
/// is written: 64-bit integers become numbers, and unspecified enums and some empty lists are left out.
pub struct Answer<'a, T: ?Sized>(pub &'a T);

/// Makes the answer to a request that was served.
///
/// # Errors
/// Returns [`Error::Internal`] if `data` cannot be written as JSON, as a time after the year 9999.
pub fn envelope<T: Serialize>(message: &str, data: &T) -> Result<Response, Error> {
    let envelope = Envelope { message, status: "success", data: Answer(data) };
    let body = serde_json::to_vec(&envelope).map_err(Error::internal)?;
    let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(([content_type], body).into_response())
}

/// Writes a message without the envelope, for streams and webhooks.
///
/// # Errors
/// Fails if the message cannot be written as JSON, as a time after the year 9999.
pub fn message<T: Serialize>(message: &T) -> serde_json::Result<String> {
    serde_json::to_string(&Answer(message))
}

impl<T: Serialize + ?Sized> Serialize for Answer<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Writer { inner: serializer, integer: false })
    }
}

/// A Serializer around another one that writes each field of a message in its form.
struct Writer<S> {
    inner: S,
    /// True if texts are 64-bit integers, as pbjson writes them.
    integer: bool,
}

/// A value that is written by a [`Writer`].
struct Value<'a, T: ?Sized> {
    value: &'a T,
    integer: bool,
}

/// A message, or another struct, whose fields are being written.
struct Fields<S> {
    inner: S,
    forms: Option<&'static HashMap<String, JsonForm>>,
}

/// A list or a map whose elements are being written.
struct Elements<S> {
    inner: S,
    integer: bool,
}

impl<T: Serialize + ?Sized> Serialize for Value<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Writer { inner: serializer, integer: self.integer })
    }
}

impl<S: SerializeStruct> SerializeStruct for Fields<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), S::Error> {
        let form = self.forms.and_then(|forms| forms.get(name)).copied();
        if is_left_out(form, value) {
            return self.inner.skip_field(name);
        }
        self.inner.serialize_field(name, &Value { value, integer: form == Some(JsonForm::Integer64) })
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

fn is_left_out<T: Serialize + ?Sized>(form: Option<JsonForm>, value: &T) -> bool {
    match form {
        Some(JsonForm::Enum) => serde_json::to_value(value).is_ok_and(|value| value == "unspecified"),
        Some(JsonForm::OmitEmpty) => {
            let is_empty = |value: serde_json::Value| match value {
                serde_json::Value::Array(elements) => elements.is_empty(),
                serde_json::Value::Object(entries) => entries.is_empty(),
                _ => false,
            };
            serde_json::to_value(value).is_ok_and(is_empty)
        }
        Some(JsonForm::Integer64) | None => false,
    }
}

impl<S: SerializeSeq> SerializeSeq for Elements<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.inner.serialize_element(&Value { value, integer: self.integer })
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

impl<S: SerializeMap> SerializeMap for Elements<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        // A key is a text in JSON, even if it is an integer in the proto.
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.inner.serialize_value(&Value { value, integer: self.integer })
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.inner.end()
    }
}

/// Methods that only call the inner serializer.
macro_rules! same {
    ($($method:ident($($argument:ident: $type:ty),*) -> $returns:ty;)*) => { $(
        fn $method(self, $($argument: $type),*) -> Result<$returns, S::Error> {
            self.inner.$method($($argument),*)
        }
    )* };
}

impl<S: Serializer> Serializer for Writer<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Elements<S::SerializeSeq>;
    type SerializeMap = Elements<S::SerializeMap>;
    type SerializeStruct = Fields<S::SerializeStruct>;
    // Messages do not hold values of these kinds.
    type SerializeTuple = S::SerializeTuple;
    type SerializeTupleStruct = S::SerializeTupleStruct;
    type SerializeTupleVariant = S::SerializeTupleVariant;
    type SerializeStructVariant = S::SerializeStructVariant;

    fn serialize_str(self, text: &str) -> Result<S::Ok, S::Error> {
        if self.integer {
            if let Ok(number) = text.parse::<i64>() {
                return self.inner.serialize_i64(number);
            }
            if let Ok(number) = text.parse::<u64>() {
                return self.inner.serialize_u64(number);
            }
        }
        self.inner.serialize_str(text)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_variant(name, index, variant, value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        Ok(Elements { inner: self.inner.serialize_seq(len)?, integer: self.integer })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        Ok(Elements { inner: self.inner.serialize_map(len)?, integer: self.integer })
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        Ok(Fields { inner: self.inner.serialize_struct(name, len)?, forms: forms_of(name) })
    }

    same! {
        serialize_bool(value: bool) -> S::Ok;
        serialize_i8(value: i8) -> S::Ok;
        serialize_i16(value: i16) -> S::Ok;
        serialize_i32(value: i32) -> S::Ok;
        serialize_i64(value: i64) -> S::Ok;
        serialize_u8(value: u8) -> S::Ok;
        serialize_u16(value: u16) -> S::Ok;
        serialize_u32(value: u32) -> S::Ok;
        serialize_u64(value: u64) -> S::Ok;
        serialize_f32(value: f32) -> S::Ok;
        serialize_f64(value: f64) -> S::Ok;
        serialize_char(value: char) -> S::Ok;
        serialize_bytes(value: &[u8]) -> S::Ok;
        serialize_none() -> S::Ok;
        serialize_unit() -> S::Ok;
        serialize_unit_struct(name: &'static str) -> S::Ok;
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str) -> S::Ok;
        serialize_tuple(len: usize) -> S::SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> S::SerializeTupleStruct;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> S::SerializeTupleVariant;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> S::SerializeStructVariant;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::pb::{
        Call, CallCounts, CallStatus, InsertBatchResponse, ListQueueCallsResponse, ListQueuesResponse, Queue,
        QueueStatus,
    };

    fn written<T: Serialize>(value: &T) -> serde_json::Value {
        serde_json::from_str(&serde_json::to_string(&Answer(value)).unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn a_64_bit_integer_is_a_number_wherever_it_stands(
            top: i64, nested: i64, listed: Vec<i64>, optional: Option<i64>, deep: i64,
        ) {
            let counts = CallCounts { queued: deep, ..CallCounts::default() };
            let queue = Queue { queue_id: nested, batches: listed.clone(), counts: Some(counts), ..Queue::default() };
            let queues = written(&ListQueuesResponse {
                results: vec![queue],
                count: top,
                page: 1,
                page_size: 2,
                next_page_token: None,
            });
            prop_assert_eq!(&queues["count"], &json!(top));
            let queue = &queues["results"][0];
            prop_assert_eq!(&queue["queue_id"], &json!(nested));
            prop_assert_eq!(&queue["batches"], &json!(listed));
            prop_assert_eq!(&queue["counts"]["queued"], &json!(deep));

            let call = Call { contact_number: optional, ..Call::default() };
            let calls = written(&ListQueueCallsResponse { results: vec![call], ..Default::default() });
            prop_assert_eq!(calls["results"][0].get("contact_number").cloned(), optional.map(|it| json!(it)));
        }

        #[test]
        fn values_of_a_map_are_numbers_and_its_keys_texts(map: BTreeMap<String, i64>, large: u64) {
            let texts: BTreeMap<_, _> = map.iter().map(|(key, value)| (key, value.to_string())).collect();
            let texts = serde_json::to_value(Value { value: &texts, integer: true }).unwrap();
            prop_assert_eq!(texts, json!(map));
            let large_text = serde_json::to_value(Value { value: &large.to_string(), integer: true }).unwrap();
            prop_assert_eq!(large_text, json!(large));
        }

        #[test]
        fn a_text_of_digits_stays_a_text(digits in "[0-9]{1,18}") {
            let call = Call { channel: digits.clone(), project: Some(digits.clone()), ..Call::default() };
            let call = written(&call);
            prop_assert_eq!(&call["channel"], &json!(digits));
            prop_assert_eq!(&call["project"], &json!(digits));
        }
    }

    #[test]
    fn warnings_are_there_only_if_there_are_any() {
        let mut answer = InsertBatchResponse { queue_id: 123, inserted_count: 1, batch_id: 12345, warnings: vec![] };
        let text = serde_json::to_string(&Answer(&answer)).unwrap();
        assert_eq!(text, r#"{"queue_id":123,"inserted_count":1,"batch_id":12345}"#);
        answer.warnings.push("data[0].deadline: has passed".to_owned());
        assert_eq!(written(&answer)["warnings"], json!(["data[0].deadline: has passed"]));
    }

    #[test]
    fn counts_flags_and_other_lists_are_always_there() {
        let queue = written(&Queue { counts: Some(CallCounts::default()), ..Queue::default() });
        assert_eq!((&queue["total_calls"], &queue["batches"]), (&json!(0), &json!([])));
        assert_eq!(queue["counts"]["unknown"], json!(0));
        assert_eq!(queue.get("created_at"), None);
    }

    #[test]
    fn enums_are_kebab_case_and_never_unspecified() {
        let queue = Queue { queue_status: QueueStatus::InProgress.into(), ..Queue::default() };
        let queue = written(&queue);
        assert_eq!((queue.get("queue_status"), queue.get("kind")), (Some(&json!("in-progress")), None));
        let call = written(&Call { status: CallStatus::Canceled.into(), ..Call::default() });
        assert_eq!(call["status"], json!("canceled"));
    }
}
