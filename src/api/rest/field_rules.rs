//! What the descriptors say about a field's JSON.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost_reflect::{EnumDescriptor, EnumValueDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::pb::DESCRIPTORS;

/// How a field is written, where that is not how pbjson does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldRule {
    /// A 64-bit integer, a list of such or a map to such: a number, and not a string of digits.
    Integer64,
    /// An enum: left out while unspecified.
    Enum,
    /// A list that is left out while it is empty: `(trunkline.v1.omit_empty)`.
    OmitEmpty,
}

type Rules = HashMap<String, HashMap<String, FieldRule>>;

static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let of = |message: MessageDescriptor| {
        let rules = message.fields().filter_map(|field| Some((field.json_name().to_owned(), rule_of(&field)?)));
        (message.full_name().to_owned(), rules.collect())
    };
    DESCRIPTORS.all_messages().map(of).collect()
});

/// Returns how a field is written, or `None` if pbjson's way is right. The descriptor may come from any pool.
pub fn rule_of(field: &FieldDescriptor) -> Option<FieldRule> {
    let omit_empty = field.parent_pool().get_extension_by_name("trunkline.v1.omit_empty");
    if omit_empty.is_some_and(|option| *field.options().get_extension(&option) == Value::Bool(true)) {
        return Some(FieldRule::OmitEmpty);
    }
    match value_kind(field) {
        Kind::Enum(_) if !field.is_list() && !field.is_map() => Some(FieldRule::Enum),
        Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => Some(FieldRule::Integer64),
        _ => None,
    }
}

/// The rules of a message's fields by their JSON names.
pub fn rules_of(message: &str) -> Option<&'static HashMap<String, FieldRule>> {
    RULES.get(message)
}

/// The kind of a field's values: of a map's values, of a list's elements.
pub fn value_kind(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    }
}

/// The field that JSON calls `name`. The proto's own name is accepted as well, as pbjson does.
pub fn json_field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name))
}

/// Returns the names that the values of an enum have in JSON, except that of the unspecified value, which JSON never
/// has.
pub fn enum_names(descriptor: &EnumDescriptor) -> Vec<String> {
    enum_values(descriptor).map(|(name, _)| name).collect()
}

/// Returns the values of an enum with their names in JSON, except the unspecified value.
pub fn enum_values(descriptor: &EnumDescriptor) -> impl Iterator<Item = (String, EnumValueDescriptor)> {
    // `CALL_STATUS_UNSPECIFIED` is value 0 of every enum, and its prefix begins the names of all others.
    let unspecified = descriptor.default_value();
    let prefix = unspecified.name().trim_end_matches("UNSPECIFIED").to_owned();
    descriptor.values().filter(|value| value.number() != 0).map(move |value| {
        let name = value.name().trim_start_matches(&prefix).to_ascii_lowercase().replace('_', "-");
        (name, value)
    })
}
