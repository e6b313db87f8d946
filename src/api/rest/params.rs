//! Path and query parameters as fields of the request message.

use std::fmt;
use std::vec;

use http::HeaderMap;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use crate::api::rest::did_you_mean::did_you_mean;
use crate::api::rest::json_form::{TIMESTAMP, enum_names, json_field};
use crate::api::rest::number_texts;
use crate::api::{At, Error, FieldViolation, Violations};
use crate::pb;

/// The field of a request that lists the fields to change.
pub const UPDATE_MASK: &str = "update_mask";

/// The fields that the path and the query of a request set, each with a value of its field's type.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, Value)>);

impl Params {
    /// Reads the parameters of the path and the query. An empty value is an absent one, like `null` in JSON.
    ///
    /// # Errors
    /// Returns every parameter that is unknown, unreadable, or repeated although it is no list.
    pub fn read<'a>(
        input: &MessageDescriptor,
        path: impl IntoIterator<Item = (&'a str, &'a str)>,
        query: Option<&str>,
    ) -> Result<Self, Error> {
        let mut params = Self::default();
        let mut violations = Violations::default();
        for (name, text) in path {
            params.add(input, name, text, &mut violations);
        }
        for (name, text) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            params.add(input, &name, &text, &mut violations);
        }
        violations.finish()?;
        params.0.retain(|(_, value)| !value.is_null());
        Ok(params)
    }

    /// Replaces the parameter `after` by the header with which browsers resume a stream, if the request has it.
    pub fn resume(&mut self, headers: &HeaderMap) -> Result<(), Error> {
        let Some(header) = headers.get("last-event-id").filter(|id| !id.is_empty()) else { return Ok(()) };
        let cursor = header.to_str().ok().and_then(|cursor| cursor.parse::<i64>().ok());
        let cursor = cursor.ok_or_else(|| Error::invalid("Last-Event-ID", "expected an integer"))?;
        self.0.retain(|(name, _)| name != "after");
        self.0.push(("after".to_owned(), cursor.into()));
        Ok(())
    }

    fn add(&mut self, input: &MessageDescriptor, name: &str, text: &str, violations: &mut Violations) {
        let at = At::field(name);
        let Some(field) = json_field(input, name) else {
            let known = input.fields().map(|field| field.json_name().to_owned());
            return violations.invalid(&at, did_you_mean("unknown parameter", name, known));
        };
        if field.is_list() {
            return self.add_element(&field, text, violations);
        }
        if self.0.iter().any(|(known, _)| known == field.json_name()) {
            return violations.invalid(&at, "is given more than once");
        }
        if let Some(searched) = number_texts::searched(&field, text) {
            return match searched {
                Ok(fields) => self.0.extend(fields),
                Err(error) => violations.invalid(&at, error),
            };
        }
        match value(&field, text) {
            Ok(value) => self.0.push((field.json_name().to_owned(), value)),
            Err(message) => violations.invalid(&at, message),
        }
    }

    /// Adds an element to a list, which a query writes as one parameter for each element. An empty value adds none.
    fn add_element(&mut self, field: &FieldDescriptor, text: &str, violations: &mut Violations) {
        let known = self.0.iter_mut().find_map(|(name, value)| match value {
            Value::Array(list) if name == field.json_name() => Some(list),
            _ => None,
        });
        let index = known.as_ref().map_or(0, |list| list.len());
        match (value(field, text), known) {
            (Ok(Value::Null), _) => {}
            (Ok(value), Some(list)) => list.push(value),
            (Ok(value), None) => self.0.push((field.json_name().to_owned(), vec![value].into())),
            (Err(message), _) => violations.invalid(&At::field(field.json_name()).index(index), message),
        }
    }

    /// Adds the names of the fields that the body sets, as the mask.
    pub fn with_mask(mut self, fields: Vec<String>) -> Self {
        self.0.push((UPDATE_MASK.to_owned(), fields.into()));
        self
    }

    /// Wraps the deserializer of a body so that it reads these fields before those of the body.
    pub fn before<D>(self, body: D) -> WithParams<D> {
        WithParams { params: self, body }
    }

    /// Returns true if the path or the query sets the field that JSON calls `name`.
    pub fn set(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Returns true if the path and the query set no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the violation of a body that sets a field which the path or the query has set.
    pub fn given_twice(&self, name: &str) -> Option<FieldViolation> {
        self.set(name).then(|| FieldViolation {
            field: name.to_owned(),
            message: "is given in the path or query already".to_owned(),
        })
    }
}

fn value(field: &FieldDescriptor, text: &str) -> Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let expected = |what: &dyn fmt::Display| format!("expected {what}, got {text:?}");
    // An integer may be written as a fraction, as in JSON.
    let integer = text.strip_suffix(".0").unwrap_or(text);
    match field.kind() {
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            integer.parse::<i64>().map(Value::from).map_err(|_| expected(&"an integer"))
        }
        Kind::Uint64 | Kind::Fixed64 => integer.parse::<u64>().map(Value::from).map_err(|_| expected(&"an integer")),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            integer.parse::<i32>().map(Value::from).map_err(|_| expected(&"an integer"))
        }
        Kind::Uint32 | Kind::Fixed32 => integer.parse::<u32>().map(Value::from).map_err(|_| expected(&"an integer")),
        Kind::Double | Kind::Float => text.parse::<f64>().map(Value::from).map_err(|_| expected(&"a number")),
        Kind::Bool => text.parse::<bool>().map(Value::from).map_err(|_| expected(&"true or false")),
        Kind::Enum(descriptor) => {
            let names = enum_names(&descriptor);
            let known = names.iter().any(|name| name == text);
            if known { Ok(text.into()) } else { Err(expected(&format_args!("one of {}", names.join(", ")))) }
        }
        Kind::String => Ok(text.into()),
        Kind::Message(message) if message.full_name() == TIMESTAMP => match pb::parse_time(text) {
            Some(_) => Ok(text.into()),
            None => Err(expected(&"an RFC 3339 time, such as 2026-01-31T12:00:00Z")),
        },
        // The build script refuses other kinds in a path or query.
        Kind::Message(_) | Kind::Bytes => Err("cannot be a parameter".to_owned()),
    }
}

/// A Deserializer that reads a message from parameters and then from a body.
pub struct WithParams<D> {
    params: Params,
    body: D,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for WithParams<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.body.deserialize_map(WithParams { params: self.params, body: visitor })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for WithParams<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, body: A) -> Result<V::Value, A::Error> {
        self.body.visit_map(Fields { params: self.params.0.into_iter(), value: None, body })
    }
}

struct Fields<A> {
    params: vec::IntoIter<(String, Value)>,
    value: Option<Value>,
    body: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some((name, value)) = self.params.next() else {
            return self.body.next_key_seed(seed);
        };
        self.value = Some(value);
        seed.deserialize(StrDeserializer::new(&name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        match self.value.take() {
            Some(value) => seed.deserialize(value).map_err(|error: serde_json::Error| A::Error::custom(error)),
            None => self.body.next_value_seed(seed),
        }
    }
}
