//! JSON schemas of messages: what a request may hold, and what an answer holds.

use std::collections::BTreeMap;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;

use crate::api::openapi::comments::Commented as _;
use crate::api::openapi::node::{Node, Object, list, of_type, reference};
use crate::api::openapi::way::Way;
use crate::api::openapi::{choice, options, value};
use crate::api::rest::json_form::TIMESTAMP;
use crate::api::rest::json_form::{JsonForm, enum_values, form_of};
use crate::pb::FieldRule;

/// The schemas that the document needs, by the names that references use.
#[derive(Debug, Default)]
pub struct Components {
    schemas: BTreeMap<String, Object>,
}

impl Components {
    /// Returns the name of a message's schema, and makes the schema when it is first used.
    pub fn schema(&mut self, message: &MessageDescriptor, way: Way) -> String {
        let name = component_name(message, way);
        if !self.schemas.contains_key(&name) {
            // The name is taken before the fields are read, because a field may lead back to this message.
            self.schemas.insert(name.clone(), Object::default());
            let schema = self::message(message, way, &[], self);
            self.schemas.insert(name.clone(), schema);
        }
        name
    }

    /// Adds the schema of a request body, which does not hold the fields that are in the path. Returns its name.
    pub fn request(&mut self, message: &MessageDescriptor, in_path: &[&str]) -> String {
        let schema = self::message(message, Way::Request, in_path, self);
        self.schemas.insert(message.name().to_owned(), schema);
        message.name().to_owned()
    }

    /// Returns all schemas by name.
    pub fn into_schemas(self) -> Object {
        self.schemas.into_iter().map(|(name, schema)| (name, schema.into())).collect()
    }
}

/// Returns the schema of a message without the fields `taken`, which the path holds.
pub fn message(message: &MessageDescriptor, way: Way, taken: &[&str], components: &mut Components) -> Object {
    let mut properties = Object::default();
    let mut required = Vec::new();
    for field in message.fields().filter(|field| !taken.contains(&field.json_name())) {
        if is_required(&field, way) {
            required.push(field.json_name().to_owned());
        }
        properties = properties.with(field.json_name(), self::field(&field, way, components));
    }
    let schema = Object::default()
        .with("type", "object")
        .with_text("description", &message.comment())
        .with("properties", properties)
        .with_any("required", required);
    match way {
        Way::Request => choice::add(schema, message).with("additionalProperties", false),
        Way::Answer => schema,
    }
}

fn is_required(field: &FieldDescriptor, way: Way) -> bool {
    match way {
        Way::Request => options::rule(field).required,
        // These are the fields that the transcoding always writes.
        Way::Answer => {
            !field.supports_presence() && !matches!(form_of(field), Some(JsonForm::Enum | JsonForm::OmitEmpty))
        }
    }
}

/// Returns the schema of a field, with its comment as the description.
pub fn field(field: &FieldDescriptor, way: Way, components: &mut Components) -> Object {
    let rule = options::rule(field);
    let schema = match value(field, &rule, way, components) {
        // A list or a map may be left out like any other field.
        schema if way == Way::Request && !rule.required => nullable(schema),
        schema => schema,
    };
    schema.with_text("description", &description(field))
}

/// Returns a field's comment, followed by the comments of its values if it is an enum.
pub fn description(field: &FieldDescriptor) -> String {
    let comment = field.comment();
    let Kind::Enum(descriptor) = field.kind() else { return comment };
    let only = options::rule(field).only;
    let values = enum_values(&descriptor).filter(|(name, _)| only.is_empty() || only.contains(name));
    let lines: Vec<String> = values.map(|(name, value)| format!("- `{name}`: {}", value.comment())).collect();
    format!("{comment}\n\n{}", lines.join("\n"))
}

/// Returns the schema of a parameter in the path or the query. Such a value is a text and cannot be `null`.
pub fn parameter(field: &FieldDescriptor, rule: &FieldRule, in_path: bool, components: &mut Components) -> Object {
    // A path with an empty segment is another path, and an empty value in the query means that there is no value.
    let fewest = (in_path || field.kind() == Kind::String).then_some(1);
    let rule = FieldRule { min_length: rule.min_length.or(fewest), ..rule.clone() };
    value(field, &rule, Way::Request, components)
}

fn value(field: &FieldDescriptor, rule: &FieldRule, way: Way, components: &mut Components) -> Object {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else { return of_type("object") };
        let of = element(&entry.map_entry_value_field(), rule, way, components);
        let of = if way == Way::Request { nullable(of) } else { of };
        let names = (!rule.key_pattern.is_empty()).then(|| Object::default().with("pattern", rule.key_pattern.clone()));
        return of_type("object")
            .with_some("maxProperties", rule.max_items)
            .with_some("propertyNames", names)
            .with("additionalProperties", of);
    }
    let element = element(field, rule, way, components);
    if field.is_list() {
        return of_type("array")
            .with("items", element)
            .with_some("minItems", rule.min_items)
            .with_some("maxItems", rule.max_items)
            .with_some("uniqueItems", rule.unique.then_some(true));
    }
    element
}

fn element(field: &FieldDescriptor, rule: &FieldRule, way: Way, components: &mut Components) -> Object {
    match field.kind() {
        Kind::Message(message) if message.full_name() != TIMESTAMP => {
            reference(&format!("schemas/{}", components.schema(&message, way)))
        }
        kind => value::schema(&kind, rule, way),
    }
}

/// Returns a schema that allows `null` besides the values of `schema`.
fn nullable(mut schema: Object) -> Object {
    let Some(types) = schema.get_mut("type") else {
        return Object::default().with("anyOf", list([schema, of_type("null")]));
    };
    let mut names = match std::mem::replace(types, Node::Plain(Value::Null)) {
        Node::List(names) => names,
        one => vec![one],
    };
    names.push("null".into());
    *types = Node::List(names);
    if let Some(Node::List(values)) = schema.get_mut("enum") {
        values.push(Node::Plain(Value::Null));
    }
    schema
}

/// Returns the name of a message's schema. A message that is sent in both directions has two schemas.
fn component_name(message: &MessageDescriptor, way: Way) -> String {
    match way {
        Way::Request => format!("{}Input", message.name()),
        Way::Answer => message.name().to_owned(),
    }
}
