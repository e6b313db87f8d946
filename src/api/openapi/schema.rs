//! Messages as JSON schemas: what a request may hold, and what an answer does.

use std::collections::BTreeMap;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;

use crate::api::openapi::comments::Commented as _;
use crate::api::openapi::node::{Node, Object, list, of_type, reference};
use crate::api::openapi::way::Way;
use crate::api::openapi::{choice, options, value};
use crate::api::rest::field_rules::{FieldRule as Written, rules_of};
use crate::api::rest::type_errors::TIMESTAMP;
use crate::pb::FieldRule;

/// The schemas that operations refer to, each written once, by name.
#[derive(Debug, Default)]
pub struct Components {
    schemas: BTreeMap<String, Object>,
}

impl Components {
    /// The name of a message's schema, which is made at the first use.
    pub fn schema(&mut self, message: &MessageDescriptor, way: Way) -> String {
        let name = component_name(message, way);
        if !self.schemas.contains_key(&name) {
            // Before its fields are looked at, which may lead back here.
            self.schemas.insert(name.clone(), Object::default());
            let schema = self::message(message, way, &[], self);
            self.schemas.insert(name.clone(), schema);
        }
        name
    }

    /// Adds the schema of a request, without the fields that its path holds.
    pub fn request(&mut self, message: &MessageDescriptor, in_path: &[&str]) -> String {
        let schema = self::message(message, Way::Request, in_path, self);
        self.schemas.insert(message.name().to_owned(), schema);
        message.name().to_owned()
    }

    /// All schemas by name.
    pub fn into_schemas(self) -> Object {
        self.schemas.into_iter().map(|(name, schema)| (name, schema.into())).collect()
    }
}

/// The schema of a message. `taken` are fields that the path holds already.
pub fn message(message: &MessageDescriptor, way: Way, taken: &[&str], components: &mut Components) -> Object {
    let mut properties = Object::default();
    let mut required = Vec::new();
    for field in message.fields().filter(|field| !taken.contains(&field.json_name())) {
        if is_required(message, &field, way) {
            required.push(field.json_name().to_owned());
        }
        properties = properties.with(field.json_name(), self::field(&field, way, components));
    }
    let schema = Object::default()
        .with("type", "object")
        .with_text("description", message.comment())
        .with("properties", properties)
        .with_any("required", required);
    match way {
        Way::Request => choice::add(schema, message).with("additionalProperties", false),
        Way::Answer => schema,
    }
}

fn is_required(message: &MessageDescriptor, field: &FieldDescriptor, way: Way) -> bool {
    match way {
        Way::Request => options::rule(field).required,
        // What the transcoding always writes.
        Way::Answer => {
            let leaves_out = rules_of(message.full_name()).and_then(|rules| rules.get(field.json_name()));
            !field.supports_presence() && !matches!(leaves_out, Some(Written::Enum | Written::OmitEmpty))
        }
    }
}

/// The schema of a field with its comment.
pub fn field(field: &FieldDescriptor, way: Way, components: &mut Components) -> Object {
    let rule = options::rule(field);
    let schema = match value(field, &rule, way, components) {
        // A list and a map may be left out as any field.
        schema if way == Way::Request && !rule.required => nullable(schema),
        schema => schema,
    };
    schema.with_text("description", field.comment())
}

/// The schema of a parameter of the path or the query, where everything is a text and nothing is `null`.
pub fn parameter(field: &FieldDescriptor, rule: &FieldRule, in_path: bool, components: &mut Components) -> Object {
    // An empty segment is another path, and an empty query value no value.
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
        return of_type("object").with_some("propertyNames", names).with("additionalProperties", of);
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

/// `schema`, or `null`.
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

/// Returns the name of a message's schema. A message that goes both ways has two schemas.
fn component_name(message: &MessageDescriptor, way: Way) -> String {
    match way {
        Way::Request => format!("{}Input", message.name()),
        Way::Answer => message.name().to_owned(),
    }
}
