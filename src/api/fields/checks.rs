//! The kinds of rules, and the violations of values that break them.

use std::collections::BTreeMap;
use std::fmt;

use uuid::Uuid;

use super::message::Check;
use crate::ami::{HeaderValue, InvalidValue};
use crate::api::{At, Violations};
use crate::domain::dial::text::{EVALUATED, is_evaluated};
use crate::domain::number::{NumberError, Numbering, read_field};
use crate::pb::Timestamp;

/// The rule of a field that holds an integer.
pub struct Integer {
    /// The field must be given.
    pub required: bool,
    /// The smallest value that is allowed.
    pub min: Option<i64>,
    /// The largest value that is allowed.
    pub max: Option<i64>,
    /// What the number counts, as `seconds`; empty if that is obvious.
    pub unit: &'static str,
}

/// The rule of a field that holds a number with a fraction, which must be finite in any case.
pub struct Decimal {
    /// The field must be given.
    pub required: bool,
    /// The smallest value that is allowed.
    pub min: Option<f64>,
    /// The largest value that is allowed.
    pub max: Option<f64>,
    /// The value must be larger than this.
    pub above: Option<f64>,
    /// What the number counts, as `seconds`; empty if that is obvious.
    pub unit: &'static str,
}

/// The rule of a field that holds a text.
pub struct Text {
    /// The field must be given.
    pub required: bool,
    /// The fewest characters that a text may have.
    pub min_length: usize,
    /// The most characters that a text may have.
    pub max_length: Option<usize>,
    /// The most bytes that a text may have.
    pub max_bytes: Option<usize>,
    /// The text goes to Asterisk: it must fit into a line of AMI and hold nothing that the dialplan would evaluate.
    pub plain: bool,
    /// The text must be a UUID.
    pub uuid: bool,
    /// The text must be a telephone number; the bounds are the fewest and the most digits.
    pub digits: Option<(usize, usize)>,
    /// The only texts that are right.
    pub only: Only,
    /// The only characters that are right.
    pub allowed: Option<Allowed>,
}

/// The only texts that a field may hold; an empty list allows any text.
pub struct Only {
    /// The texts that are right.
    pub texts: &'static [&'static str],
    /// A description for people, as `"a", "b" or "c"`.
    pub words: &'static str,
}

/// The only characters that a text may hold.
pub struct Allowed {
    /// The characters, in any order.
    pub characters: &'static str,
    /// A description for people, as ``letters, digits and `-` ``.
    pub words: &'static str,
}

/// The rule of a field that holds an enum's value.
pub struct Name {
    /// The field must be given.
    pub required: bool,
    /// The numbers of the values that are right.
    pub numbers: &'static [i32],
    /// Their names for people, as `busy, no-answer or failed`.
    pub words: &'static str,
}

/// The rule of a field that holds a list.
pub struct List {
    /// The list must not be empty.
    pub required: bool,
    /// The fewest elements of a list that is not empty.
    pub min: usize,
    /// The most elements that a list may have.
    pub max: Option<usize>,
}

impl Text {
    /// The rule that every text meets.
    pub const ANY: Self = Self {
        required: false,
        min_length: 0,
        max_length: None,
        max_bytes: None,
        plain: false,
        uuid: false,
        digits: None,
        only: Only { texts: &[], words: "" },
        allowed: None,
    };
}

/// Returns the text of a field without presence, which is absent if it is empty.
#[must_use]
pub fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Returns the number of a field without presence, which is absent if it is 0.
#[must_use]
pub fn nonzero<T: Default + PartialEq>(number: T) -> Option<T> {
    Some(number).filter(|number| *number != T::default())
}

/// Notes that a value is missing.
pub fn given(is_given: bool, at: &At<'_>, violations: &mut Violations) {
    if !is_given {
        violations.required(at);
    }
}

/// Checks an integer against its bounds.
pub fn integer(value: Option<i64>, rule: &Integer, at: &At<'_>, violations: &mut Violations) {
    let Some(value) = value else { return given(!rule.required, at, violations) };
    if rule.min.is_some_and(|min| value < min) || rule.max.is_some_and(|max| value > max) {
        let Integer { min, max, unit, .. } = *rule;
        violations.invalid(at, Range { min, max, above: None, unit });
    }
}

/// Checks a number that may have a fraction.
pub fn decimal(value: Option<f64>, rule: &Decimal, at: &At<'_>, violations: &mut Violations) {
    let Some(value) = value else { return given(!rule.required, at, violations) };
    let in_range = rule.min.is_none_or(|min| value >= min)
        && rule.max.is_none_or(|max| value <= max)
        && rule.above.is_none_or(|above| value > above);
    if !(value.is_finite() && in_range) {
        let Decimal { min, max, above, unit, .. } = *rule;
        violations.invalid(at, Range { min, max, above, unit });
    }
}

/// Checks a text: its length and its content are told apart.
pub fn text(text: Option<&str>, rule: &Text, at: &At<'_>, violations: &mut Violations) {
    let Some(text) = text else { return given(!rule.required, at, violations) };
    if text.is_empty() && rule.min_length > 0 {
        return violations.invalid(at, "must not be empty");
    }
    let length_is_told = length(text, rule, at, violations);
    if rule.plain
        && let Err(error) = HeaderValue::check(text)
    {
        // The tighter limit has been named.
        if !(length_is_told && matches!(error, InvalidValue::TooLong(_))) {
            violations.invalid(at, error);
        }
    } else if rule.plain && is_evaluated(text) {
        violations.invalid(at, EVALUATED);
    }
    if !rule.only.texts.is_empty() && !rule.only.texts.contains(&text) {
        violations.invalid(at, format_args!("must be {}", rule.only.words));
    }
    if rule.uuid && Uuid::try_parse(text).is_err() {
        violations.invalid(at, "must be a UUID");
    }
    if let Some((fewest, most)) = rule.digits {
        match digits(text) {
            Ok(count) if (fewest..=most).contains(&count) => {}
            Ok(_) | Err(NumberError::Empty) => {
                violations.invalid(at, format_args!("must be {fewest} to {most} digits"));
            }
            Err(error) => violations.invalid(at, error),
        }
    }
    if let Some(Allowed { characters, words }) = &rule.allowed
        && !text.chars().all(|character| characters.contains(character))
    {
        violations.invalid(at, format_args!("must be {words}"));
    }
}

/// Checks the length of a text, and returns true if it is wrong.
fn length(text: &str, rule: &Text, at: &At<'_>, violations: &mut Violations) -> bool {
    // A character has at least one byte, so that most texts need not be counted.
    if let Some(most) = rule.max_length
        && text.len() > most
        && text.chars().count() > most
    {
        violations.invalid(at, format_args!("has more than {most} characters"));
    } else if let Some(most) = rule.max_bytes
        && text.len() > most
    {
        violations.invalid(at, format_args!("has more than {most} bytes"));
    } else if rule.min_length > 1 && text.chars().count() < rule.min_length {
        violations.invalid(at, format_args!("has fewer than {} characters", rule.min_length));
    } else {
        return false;
    }
    true
}

/// Returns how many digits the canonical form of a telephone number has.
fn digits(text: &str) -> Result<usize, NumberError> {
    let number = read_field(text)?;
    Numbering::default().check(&number)?;
    Ok(Numbering::listed(&number).len())
}

/// Checks the value of an enum.
pub fn name(value: Option<i32>, rule: &Name, at: &At<'_>, violations: &mut Violations) {
    let Some(value) = value else { return given(!rule.required, at, violations) };
    if !rule.numbers.contains(&value) {
        violations.invalid(at, format_args!("must be {}", rule.words));
    }
}

/// Checks that a calendar holds a time.
pub fn time(value: Option<&Timestamp>, required: bool, at: &At<'_>, violations: &mut Violations) {
    let Some(value) = value else { return given(!required, at, violations) };
    if let Err(error) = jiff::Timestamp::try_from(*value) {
        violations.invalid(at, error);
    }
}

/// Checks a message that a field holds.
pub fn message<T: Check>(value: Option<&T>, required: bool, at: &At<'_>, violations: &mut Violations) {
    match value {
        Some(value) => value.check(at, violations),
        None => given(!required, at, violations),
    }
}

/// Checks how many elements a list has, and each of them by `check`, unless there are too many.
pub fn elements<T>(
    list: &[T],
    rule: &List,
    at: &At<'_>,
    violations: &mut Violations,
    check: impl Fn(&T, &At<'_>, &mut Violations),
) {
    let count = list.len();
    let too_few = if count == 0 { rule.required } else { count < rule.min };
    let too_many = rule.max.is_some_and(|max| count > max);
    if too_few || too_many {
        match (rule.min, rule.max) {
            (1, None) => violations.invalid(at, "must not be empty"),
            (min, None) => violations.invalid(at, format_args!("must hold at least {min} items, and holds {count}")),
            (_, Some(max)) if !rule.required => {
                violations.invalid(at, format_args!("must hold at most {max} items, and holds {count}"));
            }
            (min, Some(max)) => {
                violations.invalid(at, format_args!("must hold {min} to {max} items, and holds {count}"));
            }
        }
        return;
    }
    for (index, element) in list.iter().enumerate() {
        if violations.is_full() {
            break;
        }
        check(element, &at.index(index), violations);
    }
}

/// Checks that no value stands in a list twice.
pub fn unique(list: &[i32], at: &At<'_>, violations: &mut Violations) {
    for (index, value) in list.iter().enumerate() {
        if list.iter().take(index).any(|earlier| earlier == value) {
            violations.invalid(&at.index(index), "is there already");
        }
        if violations.is_full() {
            break;
        }
    }
}

/// Checks how many entries a map has, and each value by `check`, unless there are too many. The name of an entry is part
/// of its path.
pub fn entries(
    map: &BTreeMap<String, String>,
    max: Option<usize>,
    at: &At<'_>,
    violations: &mut Violations,
    check: impl Fn(&str, &At<'_>, &mut Violations),
) {
    if let Some(max) = max.filter(|max| map.len() > *max) {
        return violations.invalid(at, format_args!("has {} entries; at most {max} are allowed", map.len()));
    }
    for (name, value) in map {
        if violations.is_full() {
            break;
        }
        check(value, &at.then(name), violations);
    }
}

/// The violation of a number that is out of range.
struct Range<T> {
    min: Option<T>,
    max: Option<T>,
    above: Option<T>,
    unit: &'static str,
}

impl<T: fmt::Display> fmt::Display for Range<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.min, &self.above, &self.max) {
            (Some(min), _, Some(max)) => write!(formatter, "must be {min} to {max}"),
            (Some(min), _, None) => write!(formatter, "must be at least {min}"),
            (None, Some(above), Some(max)) => write!(formatter, "must be above {above} and at most {max}"),
            (None, Some(above), None) => write!(formatter, "must be above {above}"),
            (None, None, Some(max)) => write!(formatter, "must be at most {max}"),
            // A fraction without bounds is refused only for being no number.
            (None, None, None) => formatter.write_str("must be a number"),
        }?;
        if self.unit.is_empty() { Ok(()) } else { write!(formatter, " {}", self.unit) }
    }
}
