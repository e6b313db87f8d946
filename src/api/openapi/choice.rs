//! JSON schemas of the rules about several fields of a request together.

use prost_reflect::{Kind, MessageDescriptor};

use crate::api::openapi::node::{Node, Object, list, of_type};
use crate::api::openapi::options;
use crate::api::rest::json_form::TIMESTAMP;
use crate::api::rest::json_form::json_field;
use crate::pb::{FieldChoice, FieldSet};

/// Adds the choices that the options of `message` name to its schema.
pub fn add(schema: Object, message: &MessageDescriptor) -> Object {
    let sets = |choice: FieldChoice| list(choice.sets.iter().map(|set| of_set(message, set)));
    let mut choices: Vec<Node> = options::choices(message).into_iter().map(sets).collect();
    if choices.len() == 1 {
        return schema.with_some("anyOf", choices.pop());
    }
    schema.with_any("allOf", choices.into_iter().map(|sets| Object::default().with("anyOf", sets)).collect())
}

fn of_set(message: &MessageDescriptor, set: &FieldSet) -> Node {
    let mut parts = Vec::new();
    for (index, path) in set.fields.iter().enumerate() {
        let pattern = if index == 0 { set.pattern.as_str() } else { "" };
        let fewest = (!set.may_be_empty).then_some(1);
        parts.push(given(message, path, &|text| text.with_some("minLength", fewest).with_text("pattern", pattern)));
    }
    let absent = |name: &String| {
        let properties = Object::default().with(name.clone(), of_type("null"));
        Object::default().with("properties", properties)
    };
    parts.extend(set.without.iter().map(absent));
    match <[Object; 1]>::try_from(parts) {
        Ok([one]) => one.into(),
        Err(several) => Object::default().with("allOf", list(several)).into(),
    }
}

/// Returns a schema which demands that the field at `path` has a value other than null, and, if it is a text, what
/// `text` adds to its schema.
fn given(message: &MessageDescriptor, path: &str, text: &dyn Fn(Object) -> Object) -> Object {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let field = json_field(message, name);
    let value = match (field.map(|field| (field.is_list(), field.kind())), rest) {
        (Some((_, Kind::Message(inner))), Some(rest)) => given(&inner, rest, text),
        (Some((true, _)), _) => of_type("array"),
        (Some((_, Kind::String)), _) => text(of_type("string")),
        (Some((_, kind)), _) => of_type(type_name(&kind)),
        // A test makes sure that the options name only fields that exist.
        (None, _) => Object::default(),
    };
    Object::default().with("required", list([name])).with("properties", Object::default().with(name, value))
}

fn type_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "boolean",
        Kind::Double | Kind::Float => "number",
        Kind::Message(message) if message.full_name() != TIMESTAMP => "object",
        Kind::String | Kind::Bytes | Kind::Enum(_) | Kind::Message(_) => "string",
        Kind::Int32
        | Kind::Sint32
        | Kind::Sfixed32
        | Kind::Uint32
        | Kind::Fixed32
        | Kind::Int64
        | Kind::Sint64
        | Kind::Sfixed64
        | Kind::Uint64
        | Kind::Fixed64 => "integer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::DESCRIPTORS;

    #[test]
    fn every_choice_names_fields_that_exist() {
        for message in DESCRIPTORS.all_messages().filter(|message| message.package_name() == "trunkline.v1") {
            for set in options::choices(&message).into_iter().flat_map(|choice| choice.sets) {
                for path in set.fields.iter().chain(&set.without) {
                    let mut at = Some(message.clone());
                    for name in path.split('.') {
                        let field = at.as_ref().and_then(|message| json_field(message, name));
                        let field = field.unwrap_or_else(|| panic!("{}: {path}", message.name()));
                        at = field.kind().as_message().cloned();
                    }
                }
            }
        }
    }
    #[test]
    fn an_empty_text_is_a_value_only_if_it_stands_for_something() {
        let message = DESCRIPTORS.get_message_by_name("trunkline.v1.UpdateServerRequest").unwrap();
        let sets = options::choices(&message).into_iter().flat_map(|choice| choice.sets);
        for set in sets.filter(|set| ["host", "national_prefix"].contains(&set.fields[0].as_str())) {
            let schema = serde_json::to_value(of_set(&message, &set)).unwrap();
            let text = &schema["properties"][&set.fields[0]];
            assert_eq!(text.get("minLength").is_none(), set.fields[0] == "national_prefix", "{schema}");
        }
    }
}
