//! Requests that break one rule, or just keep it, made from the descriptors.

use std::collections::HashMap;

use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value,
};
use trunkline::pb::{DESCRIPTORS, FieldChoice, FieldRule};

/// A code that no enum has.
pub const NO_ENUM: i32 = 999;

/// The shortest text that any text may be; a server has this code, so that it is right there, too.
pub const SHORTEST: &str = "x";

/// The field that names the server of an item.
const SERVER: &str = "asterisk_server_code";

/// A request in which one field matters.
pub struct Case {
    /// The request.
    pub request: DynamicMessage,
    /// The path of the field; for a choice, those at which its absence may be told.
    pub paths: Vec<String>,
    /// Whether a rule of the field is broken.
    pub is_outside: bool,
    /// Which value of which field this is, for people.
    pub what: String,
}

/// Every case of a request message.
pub fn of(input: &MessageDescriptor) -> Vec<Case> {
    let mut cases = Vec::new();
    in_message(input, &[], &mut cases);
    cases
}

/// The fields that lead from a request to a message in it.
type Way<'a> = &'a [FieldDescriptor];

fn in_message(message: &MessageDescriptor, way: Way<'_>, cases: &mut Vec<Case>) {
    for choice in option::<Vec<FieldChoice>>(&message.options(), "choice").unwrap_or_default() {
        cases.push(without_any(message, way, &choice));
    }
    for field in message.fields() {
        let rule: FieldRule = option(&field.options(), "rule").unwrap_or_default();
        for (value, suffix, is_outside) in values(&field, &rule) {
            let mut path = path_to(way, field.json_name());
            path.push_str(&suffix);
            let what = format!("{value:?}").chars().take(60).collect();
            let request = around(way, &field, value);
            cases.push(Case { request, paths: vec![path], is_outside, what });
        }
        if let Kind::Message(inner) = field.kind()
            && inner.package_name() == "trunkline.v1"
            && !field.is_map()
        {
            in_message(&inner, &[way, &[field]].concat(), cases);
        }
    }
}

/// A message in which none of the sets of a choice is given.
fn without_any(message: &MessageDescriptor, way: Way<'_>, choice: &FieldChoice) -> Case {
    let names = choice.sets.iter().flat_map(|set| &set.fields);
    let mut paths: Vec<String> = names.clone().map(|name| path_to(way, name)).collect();
    // A change that changes nothing is told of the request as a whole.
    paths.extend(way.is_empty().then(String::new));
    let mut empty = DynamicMessage::new(message.clone());
    for (outer, _) in names.filter_map(|name| name.split_once('.')) {
        let field = message.get_field_by_json_name(outer).unwrap();
        let inner = DynamicMessage::new(field.kind().as_message().unwrap().clone());
        empty.set_field(&field, Value::Message(inner));
    }
    Case { request: wrapped(way, empty), paths, is_outside: true, what: "none of a choice".to_owned() }
}

fn path_to(way: Way<'_>, name: &str) -> String {
    let mut path = String::new();
    for field in way {
        path.push_str(field.json_name());
        path.push_str(if field.is_list() { "[0]." } else { "." });
    }
    path + name
}

/// The request in which `field` has that value, or is absent.
fn around(way: Way<'_>, field: &FieldDescriptor, value: Option<Value>) -> DynamicMessage {
    let mut made = DynamicMessage::new(field.parent_message().clone());
    if let Some(value) = value {
        made.set_field(field, value);
    }
    wrapped(way, if field.name() == SERVER { made } else { with_server(made) })
}

/// An item names its server, because the rules for recordings depend on it.
fn with_server(mut item: DynamicMessage) -> DynamicMessage {
    let descriptor = item.descriptor();
    let is_item = descriptor.get_field_by_name("action").is_some_and(|action| action.kind().as_message().is_some());
    if let Some(server) = descriptor.get_field_by_name(SERVER).filter(|_| is_item) {
        item.set_field(&server, Value::String(SHORTEST.to_owned()));
    }
    item
}

fn wrapped(way: Way<'_>, message: DynamicMessage) -> DynamicMessage {
    way.iter().rev().fold(message, |inner, field| {
        let mut outer = DynamicMessage::new(field.parent_message().clone());
        let value = Value::Message(inner);
        outer.set_field(field, if field.is_list() { Value::List(vec![value]) } else { value });
        with_server(outer)
    })
}

/// Values of a field with what they add to its path, and whether they break a rule; None: the field is absent.
fn values(field: &FieldDescriptor, rule: &FieldRule) -> Vec<(Option<Value>, String, bool)> {
    let mut values = Vec::new();
    if rule.required {
        values.push((None, String::new(), true));
    }
    let single = singles(&element_kind(field), rule, field);
    if field.is_map() {
        for (value, is_outside) in single {
            let map = HashMap::from([(MapKey::String("key".to_owned()), value)]);
            values.push((Some(Value::Map(map)), ".key".to_owned(), is_outside));
        }
    } else if field.is_list() {
        for (value, is_outside) in single {
            values.push((Some(Value::List(vec![value])), "[0]".to_owned(), is_outside));
        }
        let some = some_element(&element_kind(field), rule);
        let list = |count: i32| Some(Value::List(vec![some.clone(); usize::try_from(count).unwrap()]));
        if let Some(most) = rule.max_items {
            values.extend([(list(most), String::new(), false), (list(most + 1), String::new(), true)]);
        }
        if let Some(fewest) = rule.min_items {
            values.push((list(fewest), String::new(), false));
            values.extend((fewest > 1).then(|| (list(fewest - 1), String::new(), true)));
        }
        if rule.unique {
            values.push((list(2), "[1]".to_owned(), true));
        }
    } else {
        // Without presence, the default of the type is no value.
        let counts = |value: &Value| field.supports_presence() || !value.is_default(&field.kind());
        values.extend(
            single.into_iter().filter(|(value, _)| counts(value)).map(|(value, out)| (Some(value), String::new(), out)),
        );
    }
    values
}

fn element_kind(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    }
}

fn some_element(kind: &Kind, rule: &FieldRule) -> Value {
    match kind {
        Kind::Message(message) => Value::Message(DynamicMessage::new(message.clone())),
        Kind::Enum(_) => Value::EnumNumber(1),
        Kind::Int64 => Value::I64(1),
        _ => Value::String("1".repeat(rule.min_digits.map_or(1, |digits| usize::try_from(digits).unwrap()))),
    }
}

/// Single values, and whether they break a rule.
fn singles(kind: &Kind, rule: &FieldRule, field: &FieldDescriptor) -> Vec<(Value, bool)> {
    match kind {
        Kind::Int32 => {
            let number = |number: i64| Value::I32(i32::try_from(number).unwrap());
            integers(rule).into_iter().map(|(value, out)| (number(value), out)).collect()
        }
        Kind::Int64 => integers(rule).into_iter().map(|(value, out)| (Value::I64(value), out)).collect(),
        Kind::Double => decimals(rule).into_iter().map(|(value, out)| (Value::F64(value), out)).collect(),
        Kind::String => texts(rule, field).into_iter().map(|(value, out)| (Value::String(value), out)).collect(),
        Kind::Enum(names) => enums(names, rule),
        _ => Vec::new(),
    }
}

fn integers(rule: &FieldRule) -> Vec<(i64, bool)> {
    let min = rule.min.map(|min| [(min - 1, true), (min, false)]);
    let max = rule.max.map(|max| [(max, false), (max + 1, true)]);
    min.into_iter().chain(max).flatten().collect()
}

fn decimals(rule: &FieldRule) -> Vec<(f64, bool)> {
    #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
    let number = |bound: i64| bound as f64;
    let above = rule.above.map(number).map(|above| [(above, true), (above + 0.001, false)]);
    let min = rule.min.map(number).map(|min| [(min - 0.001, true), (min, false)]);
    let max = rule.max.map(number).map(|max| [(max, false), (max + 0.001, true)]);
    above.into_iter().chain(min).chain(max).flatten().collect()
}

fn texts(rule: &FieldRule, field: &FieldDescriptor) -> Vec<(String, bool)> {
    let mut texts = Vec::new();
    // Which texts match a pattern can only be said by hand, so that these are held from outside alone.
    let inside = |text: String| (rule.pattern.is_empty()).then_some((text, false));
    let times = |letter: &str, count: i32| letter.repeat(usize::try_from(count).unwrap());
    let letter = if rule.min_digits.is_some() { "1" } else { SHORTEST };
    if let Some(most) = rule.max_length {
        texts.push((times(letter, most + 1), true));
        texts.extend(inside(times(letter, most)));
    }
    if let Some(most) = rule.max_bytes {
        texts.push((times("é", most / 2 + 1), true));
        texts.extend(inside(times(letter, most)));
    }
    if rule.plain {
        texts.extend(["a\nb", "a\rb", "a\0b", "${A}", "$[1]"].map(|text| (text.to_owned(), true)));
        texts.push((times(letter, 981), true));
        // A channel variable goes into one line with its name.
        if rule.max_length.is_none() && rule.max_bytes.is_none() && !field.is_map() {
            texts.extend(inside(times(letter, 980)));
        }
    }
    let fewest = rule.min_length.unwrap_or_else(|| i32::from(rule.plain || rule.required));
    if fewest > 0 {
        texts.push((times(letter, fewest - 1), true));
        let digits = rule.min_digits.is_some();
        texts.extend(
            (!digits && rule.only.is_empty() && rule.format.is_empty())
                .then(|| inside(times(letter, fewest)))
                .flatten(),
        );
    }
    if let (Some(fewest), Some(most)) = (rule.min_digits, rule.max_digits) {
        texts.extend([fewest - 1, most + 1].map(|count| (times("1", count), true)));
        texts.extend([fewest, most].map(|count| (times("1", count), false)));
    }
    if rule.format == "uuid" {
        texts.extend([("7".to_owned(), true), ("00000000-0000-0000-0000-000000000000".to_owned(), false)]);
    }
    if !rule.only.is_empty() {
        texts.push(("no such text".to_owned(), true));
        texts.extend(rule.only.iter().map(|only| (only.clone(), false)));
    }
    if !rule.pattern.is_empty() || !rule.allowed.is_empty() {
        texts.push(("¡".to_owned(), true));
    }
    if !rule.allowed.is_empty() {
        texts.push((rule.allowed.clone(), false));
    }
    // An element of a list and an entry of a map are there, also if they are empty.
    let has_empty = field.supports_presence() || field.is_list() || field.is_map();
    texts.retain(|(text, _)| has_empty || !text.is_empty());
    texts
}

fn enums(names: &EnumDescriptor, rule: &FieldRule) -> Vec<(Value, bool)> {
    let mut values = vec![(Value::EnumNumber(NO_ENUM), true)];
    for value in names.values().filter(|value| value.number() != 0) {
        let is_outside = !rule.only.is_empty() && !rule.only.contains(&name_of(names, value.number()).unwrap());
        values.push((Value::EnumNumber(value.number()), is_outside));
    }
    values
}

/// The name of an enum's value in JSON.
pub fn name_of(names: &EnumDescriptor, number: i32) -> Option<String> {
    let unspecified = names.default_value();
    let prefix = unspecified.name().strip_suffix("UNSPECIFIED").unwrap();
    let value = names.get_value(number)?;
    Some(value.name().strip_prefix(prefix).unwrap().to_ascii_lowercase().replace('_', "-"))
}

/// What an option of this API says.
fn option<T: FromOption>(options: &DynamicMessage, name: &str) -> Option<T> {
    let extension = DESCRIPTORS.get_extension_by_name(&format!("trunkline.v1.{name}")).unwrap();
    options.has_extension(&extension).then(|| T::read(options.get_extension(&extension).as_ref()))
}

trait FromOption {
    fn read(value: &Value) -> Self;
}

impl FromOption for FieldRule {
    fn read(value: &Value) -> Self {
        value.as_message().unwrap().transcode_to().unwrap()
    }
}

impl FromOption for Vec<FieldChoice> {
    fn read(value: &Value) -> Self {
        value.as_list().unwrap().iter().map(|one| one.as_message().unwrap().transcode_to().unwrap()).collect()
    }
}
