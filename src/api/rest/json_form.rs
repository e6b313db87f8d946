//! The form of each field in JSON, as the descriptors give it.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost_reflect::{EnumDescriptor, EnumValueDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::pb::DESCRIPTORS;

/// The full name of the one message that is a text in JSON.
pub const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// The form of a field that is not written as pbjson writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonForm {
    /// The field holds 64-bit integers, which are written as numbers and not as strings of digits.
    Integer64,
    /// The field holds an enum, which is left out if it is unspecified.
    Enum,
    /// The field holds a list or a map with `(trunkline.v1.omit_empty)`, which is left out if it is empty.
    OmitEmpty,
}

type Forms = HashMap<String, HashMap<String, JsonForm>>;

static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    let of = |message: MessageDescriptor| {
        let forms = message.fields().filter_map(|field| Some((field.json_name().to_owned(), form_of(&field)?)));
        (message.full_name().to_owned(), forms.collect())
    };
    DESCRIPTORS.all_messages().map(of).collect()
});

/// Returns the form of a field, or None if it is written as pbjson writes it. The descriptor may come from any pool.
pub fn form_of(field: &FieldDescriptor) -> Option<JsonForm> {
    let omit_empty = field.parent_pool().get_extension_by_name("trunkline.v1.omit_empty");
    if omit_empty.is_some_and(|option| *field.options().get_extension(&option) == Value::Bool(true)) {
        return Some(JsonForm::OmitEmpty);
    }
    match value_kind(field) {
        Kind::Enum(_) if !field.is_list() && !field.is_map() => Some(JsonForm::Enum),
        Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => Some(JsonForm::Integer64),
        _ => None,
    }
}

/// Returns the forms of a message's fields by their JSON names; a field without an entry is written as pbjson writes it.
pub fn forms_of(message: &str) -> Option<&'static HashMap<String, JsonForm>> {
    FORMS.get(message)
}

/// Returns the kind of a field's values: of a map's values, of a list's elements.
pub fn value_kind(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    }
}

/// Returns the field that JSON calls `name`. Like pbjson, it accepts the name in the proto as well.
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
