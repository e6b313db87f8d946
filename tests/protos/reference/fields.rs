//! Writes messages and enums as tables.

use heck::{ToKebabCase, ToShoutySnakeCase};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use trunkline::api::openapi::comments::Commented as _;
use trunkline::api::openapi::options;

use super::links::Targets;
use super::rules;

/// Returns the fields of a message as a table, with what holds for several of them together.
pub fn table(targets: &Targets, message: &MessageDescriptor) -> String {
    let mut text = String::new();
    for choice in options::choices(message) {
        text.push_str(&format!("{}\n\n", rules::choice(&choice)));
    }
    for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        let parts = oneof.fields().map(|field| format!("`{}`", field.json_name())).collect::<Vec<_>>();
        text.push_str(&format!("Exactly one of these is set: {}.\n\n", parts.join(", ")));
    }
    if message.fields().len() == 0 {
        return text + "No fields.\n";
    }
    // What the server sends has no rules.
    let has_rules = message.fields().any(|field| !rules::of(&field).is_empty());
    text.push_str(match has_rules {
        true => "| field | type | rule | description |\n| --- | --- | --- | --- |\n",
        false => "| field | type | description |\n| --- | --- | --- |\n",
    });
    for field in message.fields() {
        let name = field.json_name();
        let comment = cell(&targets.within(&field.comment()));
        let proto = match name == field.name() {
            true => String::new(),
            false => format!(" In the proto: `{}`.", field.name()),
        };
        let rule = if has_rules { format!(" {} |", rules::of(&field)) } else { String::new() };
        text.push_str(&format!("| `{name}` | {} |{rule} {comment}{proto} |\n", kind(targets, &field)));
    }
    text
}

/// Returns the values of an enum as a table.
pub fn values(targets: &Targets, of: &EnumDescriptor) -> String {
    let prefix = format!("{}_", of.name().to_shouty_snake_case());
    let mut text = String::from("| JSON | number | proto | description |\n| --- | --- | --- | --- |\n");
    for value in of.values().filter(|value| value.number() != 0) {
        let short = value.name().strip_prefix(&prefix).unwrap_or(value.name()).to_kebab_case();
        let comment = cell(&targets.within(&value.comment()));
        text.push_str(&format!("| `{short}` | {} | `{}` | {comment} |\n", value.number(), value.name()));
    }
    text
}

/// Returns the type of a field, with a link if it is a message or an enum.
fn kind(targets: &Targets, field: &FieldDescriptor) -> String {
    if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
        return format!(
            "map of {} to {}",
            one(targets, &entry.map_entry_key_field()),
            one(targets, &entry.map_entry_value_field())
        );
    }
    match field.is_list() {
        true => format!("list of {}", one(targets, field)),
        false => one(targets, field),
    }
}

fn one(targets: &Targets, field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => "Timestamp".to_owned(),
        Kind::Message(message) => targets.of(message.name()).unwrap_or_else(|| message.name().to_owned()),
        Kind::Enum(known) => targets.of(known.name()).unwrap_or_else(|| known.name().to_owned()),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

/// Returns a text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace("\n\n", "<br>").replace('|', "\\|")
}
