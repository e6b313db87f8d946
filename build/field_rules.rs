//! Turns the `(rule)` of each field of a request into Rust: checks for the API, and constants for code that needs a bound.

use heck::{ToShoutySnakeCase, ToSnakeCase, ToUpperCamelCase};
use prost::Message;
use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, Value};

use crate::PACKAGE;

/// The only message of another package that a request may hold.
const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// `trunkline.v1.FieldRule`; options.proto says what each member means.
#[derive(Clone, PartialEq, Message)]
pub struct FieldRule {
    #[prost(bool, tag = "1")]
    pub required: bool,
    #[prost(int64, optional, tag = "2")]
    pub min: Option<i64>,
    #[prost(int64, optional, tag = "3")]
    pub max: Option<i64>,
    #[prost(int64, optional, tag = "4")]
    pub above: Option<i64>,
    #[prost(int32, optional, tag = "5")]
    pub min_length: Option<i32>,
    #[prost(int32, optional, tag = "6")]
    pub max_length: Option<i32>,
    #[prost(int32, optional, tag = "7")]
    pub min_items: Option<i32>,
    #[prost(int32, optional, tag = "8")]
    pub max_items: Option<i32>,
    #[prost(string, tag = "9")]
    pub pattern: String,
    #[prost(bool, tag = "10")]
    pub plain: bool,
    #[prost(string, tag = "11")]
    pub format: String,
    #[prost(string, repeated, tag = "12")]
    pub only: Vec<String>,
    #[prost(string, tag = "13")]
    pub key_pattern: String,
    #[prost(bool, tag = "14")]
    pub unique: bool,
    #[prost(string, tag = "15")]
    pub unit: String,
    #[prost(int32, optional, tag = "16")]
    pub max_bytes: Option<i32>,
    #[prost(int32, optional, tag = "17")]
    pub min_digits: Option<i32>,
    #[prost(int32, optional, tag = "18")]
    pub max_digits: Option<i32>,
    #[prost(string, tag = "19")]
    pub allowed: String,
}

/// Writes `field_checks.rs`: an `impl Check` for every message that a request can hold.
///
/// It is included in `src/api/fields`, which defines the functions that it calls.
///
/// # Errors
/// Returns the first field whose rule does not fit its type.
pub fn checks(pool: &DescriptorPool) -> Result<String, String> {
    let mut text = String::new();
    for message in request_messages(pool)? {
        let full_name = message.full_name();
        text.push_str(&format!(
            "impl Check for crate::pb::{} {{\n    const NAME: &'static str = {full_name:?};\n\
             \n    fn check(&self, at: &At<'_>, violations: &mut Violations) {{\n",
            message.name(),
        ));
        for field in message.fields().filter(|field| !is_oneof_part(field)) {
            let line =
                check(&field, &rule_of(pool, &field)?).map_err(|fault| format!("{}: {fault}", field.full_name()))?;
            if let Some(line) = line {
                text.push_str(&format!("        {line};\n"));
            }
        }
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            text.push_str(&parts(pool, &message, &oneof)?);
        }
        text.push_str("    }\n}\n\n");
    }
    Ok(text)
}

/// Writes `bounds.rs`: the largest value, length and count of each field that has one, as a constant.
///
/// # Errors
/// Returns the first field whose rule cannot be read.
pub fn bounds(pool: &DescriptorPool) -> Result<String, String> {
    let mut text = String::new();
    for message in request_messages(pool)? {
        for field in message.fields() {
            let rule = rule_of(pool, &field)?;
            let number = if matches!(field.kind(), Kind::Int32) { "i32" } else { "i64" };
            for (what, suffix, kind, bound) in [
                ("The largest value of", "MAX", number, rule.max),
                ("The most characters in", "MAX_LENGTH", "usize", rule.max_length.map(i64::from)),
                ("The most elements in", "MAX_ITEMS", "usize", rule.max_items.map(i64::from)),
            ] {
                let Some(bound) = bound else { continue };
                let path = format!("{}.{}", message.name(), field.name());
                let constant = format!("{path}_{suffix}").to_shouty_snake_case();
                text.push_str(&format!("/// {what} `{path}`.\npub const {constant}: {kind} = {bound};\n"));
            }
        }
    }
    Ok(text)
}

/// Returns every message of the package that a request is or can hold, each once.
fn request_messages(pool: &DescriptorPool) -> Result<Vec<MessageDescriptor>, String> {
    let mut found: Vec<MessageDescriptor> = Vec::new();
    for service in pool.services().filter(|service| service.package_name() == PACKAGE) {
        for method in service.methods() {
            let mut open = vec![method.input()];
            while let Some(message) = open.pop() {
                if message.package_name() != PACKAGE || found.contains(&message) {
                    continue;
                }
                if message.parent_message().is_some() {
                    return Err(format!("{}: a message within a message is not supported", message.full_name()));
                }
                open.extend(message.fields().filter_map(|field| value_kind(&field).as_message().cloned()));
                found.push(message);
            }
        }
    }
    Ok(found)
}

/// Returns the kind of a field's values: of a map's values, of a list's elements.
fn value_kind(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    }
}

fn rule_of(pool: &DescriptorPool, field: &FieldDescriptor) -> Result<FieldRule, String> {
    let extension = pool.get_extension_by_name("trunkline.v1.rule").ok_or("no such option: trunkline.v1.rule")?;
    match field.options().get_extension(&extension).as_ref() {
        Value::Message(rule) => rule.transcode_to().map_err(|error| format!("{}: {error}", field.full_name())),
        _ => Err(format!("{}: its rule is not a message", field.full_name())),
    }
}

fn is_oneof_part(field: &FieldDescriptor) -> bool {
    field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic())
}

/// Writes the check of the messages of a oneof. A rule of such a field itself would have no meaning.
fn parts(pool: &DescriptorPool, message: &MessageDescriptor, oneof: &OneofDescriptor) -> Result<String, String> {
    let mut arms = String::new();
    for field in oneof.fields() {
        let kind = field.kind();
        if !kind.as_message().is_some_and(is_ours) || rule_of(pool, &field)? != FieldRule::default() {
            return Err(format!("{}: must be a message without a rule", field.full_name()));
        }
        let (name, json_name) = (field.name().to_upper_camel_case(), field.json_name().to_owned());
        arms.push_str(&format!(
            "            Some(Part::{name}(part)) => part.check(&at.then({json_name:?}), violations),\n"
        ));
    }
    let (module, enumeration) = (message.name().to_snake_case(), oneof.name().to_upper_camel_case());
    Ok(format!(
        "        use crate::pb::{module}::{enumeration} as Part;\n        match &self.{} {{\n{arms}            None => {{}}\n        }}\n",
        identifier(oneof.name()),
    ))
}

fn is_time(kind: &Kind) -> bool {
    kind.as_message().is_some_and(|message| message.full_name() == TIMESTAMP)
}

fn is_ours(message: &MessageDescriptor) -> bool {
    message.package_name() == PACKAGE
}

/// Writes the statement that checks a field; None if every value of its type is right.
fn check(field: &FieldDescriptor, rule: &FieldRule) -> Result<Option<String>, String> {
    let kind = value_kind(field);
    refuse_misplaced(field, &kind, rule)?;
    let own = format!("self.{}", identifier(field.name()));
    let at = format!("&at.then({:?})", field.json_name());
    if field.is_map() {
        let Some(value) = value_check(&kind, rule, "value")? else { return Ok(None) };
        let most = rule.max_items;
        return Ok(Some(format!("entries(&{own}, {most:?}, {at}, violations, |value, at, violations| {value})")));
    }
    if field.is_list() {
        let element = value_check(&kind, rule, "element")?;
        if element.is_none() && *rule == FieldRule::default() {
            return Ok(None);
        }
        let each = element.map_or("|_, _, _| {}".to_owned(), |it| format!("|element, at, violations| {it}"));
        let unique = if rule.unique { format!(";\n        unique(&{own}, {at}, violations)") } else { String::new() };
        return Ok(Some(format!("elements(&{own}, {}, {at}, violations, {each}){unique}", list_rule(rule))));
    }
    let optional = field.supports_presence();
    // Without presence, a value that is its type's default is absent.
    let value = match (&kind, optional) {
        (Kind::Message(_), _) => format!("{own}.as_ref()"),
        (Kind::String, true) => format!("{own}.as_deref()"),
        (Kind::String, false) => format!("filled(&{own})"),
        (Kind::Int32, true) => format!("{own}.map(i64::from)"),
        (Kind::Int32, false) => format!("nonzero({own}).map(i64::from)"),
        (Kind::Int64 | Kind::Double | Kind::Enum(_), false) => format!("nonzero({own})"),
        _ => own.clone(),
    };
    Ok(match &kind {
        Kind::Message(message) if is_ours(message) => {
            Some(format!("message({value}, {}, {at}, violations)", rule.required))
        }
        Kind::Message(_) => Some(format!("time({value}, {}, {at}, violations)", rule.required)),
        Kind::Bool if rule.required => Some(format!("given({own}.is_some(), {at}, violations)")),
        Kind::Int32 | Kind::Int64 => {
            integer_rule(rule).map(|rule| format!("integer({value}, {rule}, {at}, violations)"))
        }
        Kind::Double => decimal_rule(rule).map(|rule| format!("decimal({value}, {rule}, {at}, violations)")),
        Kind::String => text_rule(rule)?.map(|rule| format!("text({value}, {rule}, {at}, violations)")),
        Kind::Enum(names) => Some(format!("name({value}, {}, {at}, violations)", name_rule(names, rule)?)),
        _ => None,
    })
}

/// Writes the expression that checks one element of a list, or one value of a map, that is called `it`.
fn value_check(kind: &Kind, rule: &FieldRule, it: &str) -> Result<Option<String>, String> {
    // `required` is about the list, not about its elements.
    let rule = &FieldRule { required: false, ..rule.clone() };
    Ok(match kind {
        Kind::Message(message) if is_ours(message) => Some(format!("{it}.check(at, violations)")),
        Kind::String => text_rule(rule)?.map(|rule| format!("text(Some({it}), {rule}, at, violations)")),
        Kind::Enum(names) => Some(format!("name(Some(*{it}), {}, at, violations)", name_rule(names, rule)?)),
        _ => None,
    })
}

/// Refuses a rule that does not fit the type of its field, because no code would check it.
fn refuse_misplaced(field: &FieldDescriptor, kind: &Kind, rule: &FieldRule) -> Result<(), String> {
    let number = matches!(kind, Kind::Int32 | Kind::Int64 | Kind::Double);
    let text = matches!(kind, Kind::String);
    let single = !field.is_list() && !field.is_map();
    let sized = rule.min_length.is_some() || rule.max_length.is_some() || rule.max_bytes.is_some();
    let lettered = rule.min_digits.is_some() || rule.max_digits.is_some() || !rule.allowed.is_empty();
    for (is_set, fits, member) in [
        (rule.min.is_some() || rule.max.is_some(), number && single, "min and max are for numbers"),
        (!rule.unit.is_empty(), number && single, "unit is for numbers"),
        (rule.above.is_some(), matches!(kind, Kind::Double) && single, "above is for fractions"),
        (rule.above.is_some() && rule.min.is_some(), false, "above stands in place of min"),
        (sized, text, "lengths are for texts"),
        (rule.plain || lettered || !rule.pattern.is_empty(), text, "plain, digits, allowed and pattern are for texts"),
        (rule.min_digits.is_some() != rule.max_digits.is_some(), false, "min_digits and max_digits stand together"),
        (!rule.format.is_empty(), text && rule.format == "uuid", "the only format is uuid, of a text"),
        (!rule.only.is_empty(), text || matches!(kind, Kind::Enum(_)), "only is for texts and enums"),
        (
            rule.min_items.is_some() || rule.max_items.is_some(),
            field.is_list() || field.is_map() && rule.min_items.is_none(),
            "min_items and max_items are for lists, and max_items for maps",
        ),
        (rule.unique, field.is_list() && matches!(kind, Kind::Enum(_)), "unique is for lists of enums"),
        (!rule.key_pattern.is_empty(), field.is_map(), "key_pattern is for maps"),
        (rule.required, !field.is_map(), "a map cannot be required"),
        (matches!(kind, Kind::Message(message) if !is_ours(message)), single && is_time(kind), "is not supported"),
        (rule.required && matches!(kind, Kind::Bool), field.supports_presence(), "false is as good as absent"),
    ] {
        if is_set && !fits {
            return Err(member.to_owned());
        }
    }
    Ok(())
}

fn integer_rule(rule: &FieldRule) -> Option<String> {
    let FieldRule { required, min, max, unit, .. } = rule;
    let any = !required && min.is_none() && max.is_none();
    (!any)
        .then(|| format!("const {{ &Integer {{ required: {required}, min: {min:?}, max: {max:?}, unit: {unit:?} }} }}"))
}

fn decimal_rule(rule: &FieldRule) -> Option<String> {
    let float = |bound: Option<i64>| bound.map_or("None".to_owned(), |bound| format!("Some({bound}.0)"));
    let (required, unit) = (rule.required, &rule.unit);
    let (min, max, above) = (float(rule.min), float(rule.max), float(rule.above));
    let members = format!("required: {required}, min: {min}, max: {max}, above: {above}, unit: {unit:?}");
    Some(format!("const {{ &Decimal {{ {members} }} }}"))
}

fn list_rule(rule: &FieldRule) -> String {
    let (required, max) = (rule.required, rule.max_items);
    format!("const {{ &List {{ required: {required}, min: {}, max: {max:?} }} }}", rule.min_items.unwrap_or(1))
}

fn text_rule(rule: &FieldRule) -> Result<Option<String>, String> {
    let mut members = Vec::new();
    if rule.required {
        members.push("required: true".to_owned());
    }
    // A text that is plain or required is not empty, unless the rule says otherwise.
    let fewest = rule.min_length.unwrap_or_else(|| i32::from(rule.plain || rule.required));
    if fewest > 0 {
        members.push(format!("min_length: {fewest}"));
    }
    for (name, most) in [("max_length", rule.max_length), ("max_bytes", rule.max_bytes)] {
        members.extend(most.map(|most| format!("{name}: Some({most})")));
    }
    if rule.plain {
        members.push("plain: true".to_owned());
    }
    if rule.format == "uuid" {
        members.push("uuid: true".to_owned());
    }
    if let (Some(fewest), Some(most)) = (rule.min_digits, rule.max_digits) {
        members.push(format!("digits: Some(({fewest}, {most}))"));
    }
    if !rule.only.is_empty() {
        let quoted: Vec<String> = rule.only.iter().map(|only| format!("{only:?}")).collect();
        members.push(format!("only: Only {{ texts: &{:?}, words: {:?} }}", rule.only, either(&quoted)));
    }
    if !rule.allowed.is_empty() {
        let (characters, words) = allowed(&rule.allowed)?;
        members.push(format!("allowed: Some(Allowed {{ characters: {characters:?}, words: {words:?} }})"));
    }
    if members.is_empty() {
        return Ok(None);
    }
    Ok(Some(format!("const {{ &Text {{ {}, ..Text::ANY }} }}", members.join(", "))))
}

/// Returns the characters of a class such as `A-Za-z0-9_-`, and their description for people.
fn allowed(class: &str) -> Result<(String, String), String> {
    let mut rest = class.to_owned();
    let (mut characters, mut words) = (String::new(), Vec::new());
    for (ranges, name) in [("A-Za-z", "letters"), ("0-9", "digits")] {
        let Some(at) = rest.find(ranges) else { continue };
        rest.replace_range(at..at + ranges.len(), "");
        for range in ranges.as_bytes().chunks(3) {
            characters.extend((range[0]..=range[2]).map(char::from));
        }
        words.push(name.to_owned());
    }
    let is_sign = |sign: char| sign.is_ascii_punctuation() && !"[]\\^".contains(sign);
    if !rest.chars().all(is_sign) || rest.trim_end_matches('-').contains('-') {
        return Err(format!("allowed must be made of A-Za-z, 0-9 and signs, `-` last, and is {class:?}"));
    }
    characters.push_str(&rest);
    words.extend(rest.chars().map(|sign| format!("`{sign}`")));
    let last = words.pop().unwrap_or_default();
    Ok((characters, if words.is_empty() { last } else { format!("{} and {last}", words.join(", ")) }))
}

fn name_rule(names: &EnumDescriptor, rule: &FieldRule) -> Result<String, String> {
    // Value 0 of every enum is `CALL_STATUS_UNSPECIFIED` or the like; all its names begin with the same prefix.
    let prefix = names.default_value().name().trim_end_matches("UNSPECIFIED").to_owned();
    let in_json = |name: &str| name.trim_start_matches(&prefix).to_ascii_lowercase().replace('_', "-");
    let known: Vec<(i32, String)> = names
        .values()
        .filter(|value| value.number() != 0)
        .map(|value| (value.number(), in_json(value.name())))
        .collect();
    if let Some(unknown) = rule.only.iter().find(|only| known.iter().all(|(_, name)| name != *only)) {
        return Err(format!("{} has no value {unknown}", names.name()));
    }
    let right: Vec<(i32, String)> =
        known.into_iter().filter(|(_, name)| rule.only.is_empty() || rule.only.contains(name)).collect();
    let numbers: Vec<i32> = right.iter().map(|(number, _)| *number).collect();
    let words: Vec<String> = right.into_iter().map(|(_, name)| name).collect();
    let (required, words) = (rule.required, either(&words));
    Ok(format!("const {{ &Name {{ required: {required}, numbers: &{numbers:?}, words: {words:?} }} }}"))
}

/// Joins words to `a, b or c`.
fn either(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Returns the name of a field in Rust.
fn identifier(name: &str) -> String {
    if matches!(name, "async" | "type" | "match" | "ref" | "use" | "in" | "for" | "loop" | "move") {
        return format!("r#{name}");
    }
    name.to_owned()
}
