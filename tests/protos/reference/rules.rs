//! Writes the rule of a field in words.

use prost_reflect::FieldDescriptor;
use trunkline::api::openapi::options;
use trunkline::pb::{FieldChoice, FieldRule};

/// The longest pattern that is shown. A longer one is for programs, which find it in `/openapi.json`.
const LONGEST_PATTERN: usize = 48;

/// The pattern of an application other than `Dial`, in any case.
const NOT_DIAL: &str = "^([^Dd]|.[^Ii]|..[^Aa]|...[^Ll]|.{0,3}$|.{5})";

/// Returns what a field may hold, in words; empty if its type says everything.
pub fn of(field: &FieldDescriptor) -> String {
    let rule = options::rule(field);
    let mut parts = Vec::new();
    if rule.required {
        parts.push("required".to_owned());
    }
    parts.extend(number(&rule));
    parts.extend(between(rule.min_items, rule.max_items, if field.is_map() { "entries" } else { "elements" }));
    // One character is what `required` and `plain` mean anyway.
    parts.extend(between(rule.min_length.filter(|shortest| *shortest > 1), rule.max_length, "characters"));
    parts.extend(between(None, rule.max_bytes, "bytes"));
    parts.extend(between(rule.min_digits, rule.max_digits, "digits"));
    if rule.unique {
        parts.push("no two equal".to_owned());
    }
    if !rule.allowed.is_empty() {
        parts.push(format!("only `{}`", rule.allowed));
    }
    if !rule.only.is_empty() {
        parts.push(format!("one of {}", codes(&rule.only)));
    }
    if !rule.format.is_empty() {
        parts.push(rule.format.to_uppercase());
    }
    if rule.plain {
        parts.push("plain text".to_owned());
    }
    for (what, pattern) in [("", &rule.pattern), ("names ", &rule.key_pattern)] {
        if !pattern.is_empty() && pattern.len() <= LONGEST_PATTERN {
            parts.push(format!("{what}`{}`", pattern.replace('|', "\\|")));
        }
    }
    parts.join(", ")
}

fn number(rule: &FieldRule) -> Option<String> {
    let unit = if rule.unit.is_empty() { String::new() } else { format!(" {}", rule.unit) };
    let text = match (rule.above, rule.min, rule.max) {
        (Some(above), _, Some(max)) => format!("above {above}, at most {max}"),
        (Some(above), _, None) => format!("above {above}"),
        (None, Some(min), Some(max)) => format!("{min} to {max}"),
        (None, Some(min), None) => format!("at least {min}"),
        (None, None, Some(max)) => format!("at most {max}"),
        (None, None, None) => return None,
    };
    Some(text + &unit)
}

fn between(least: Option<i32>, most: Option<i32>, what: &str) -> Option<String> {
    match (least, most) {
        (Some(least), Some(most)) if least == most => Some(format!("{least} {what}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most} {what}")),
        (None, Some(most)) => Some(format!("at most {most} {what}")),
        (Some(least), None) => Some(format!("at least {least} {what}")),
        (None, None) => None,
    }
}

fn codes(texts: &[String]) -> String {
    texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ")
}

/// Returns which of several fields a request must hold, in words.
pub fn choice(choice: &FieldChoice) -> String {
    let sets = choice.sets.iter().map(|set| {
        let fields = set.fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(" and ");
        let without = set.without.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>();
        let without = if without.is_empty() { String::new() } else { format!(" without {}", without.join(" and ")) };
        let other = match set.pattern.as_str() {
            "" => String::new(),
            NOT_DIAL => " other than `Dial`".to_owned(),
            pattern => format!(" that matches `{}`", pattern.replace('|', "\\|")),
        };
        format!("{fields}{other}{without}")
    });
    format!("At least one of these must be given: {}.", sets.collect::<Vec<_>>().join("; "))
}
