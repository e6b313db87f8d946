//! Extensions of a PBX that are no numbers, such as `*98`, and the patterns that grant them.

use serde::{Deserialize, Serialize};

/// The most characters of an extension that a pattern can match. It is less than a number has that costs money, so that
/// no pattern can match a service code and a number.
pub const MAX_LENGTH: usize = 8;

/// Why a text is not a pattern for extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The pattern matches no extension, or one that is too long.
    #[error("must match extensions of 1 to {MAX_LENGTH} characters")]
    Length,
    /// The pattern has a character that it cannot have.
    #[error("must have letters, digits, *, # and [..] alone, such as *98 or *9XX")]
    Character,
    /// What is in brackets is not a list of digits.
    #[error("must have digits in [..], such as [13-5]")]
    Brackets,
}

/// A pattern for extensions, one character after another: `X` stands for a digit, `Z` for one from 1 to 9, `N` for one
/// from 2 to 9 and `[13-5]` for one of these, as in Asterisk's dialplan; every other letter, digit, `*` or `#` stands
/// for itself. A `_` before the pattern, which Asterisk needs, means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    places: Vec<Vec<char>>,
}

impl Pattern {
    /// Returns true if the pattern matches a whole extension.
    #[must_use]
    pub fn matches(&self, extension: &str) -> bool {
        let mut places = self.places.iter();
        extension.chars().all(|character| places.next().is_some_and(|place| place.contains(&character)))
            && places.next().is_none()
    }

    /// Returns the pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        let places = places(text.strip_prefix('_').unwrap_or(&text))?;
        if places.is_empty() || places.len() > MAX_LENGTH {
            return Err(PatternError::Length);
        }
        Ok(Self { text, places })
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

/// Returns which characters each place of a pattern matches.
fn places(pattern: &str) -> Result<Vec<Vec<char>>, PatternError> {
    let mut places = Vec::new();
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        places.push(match character {
            'X' => ('0'..='9').collect(),
            'Z' => ('1'..='9').collect(),
            'N' => ('2'..='9').collect(),
            '[' => {
                let (list, after) = rest.as_str().split_once(']').ok_or(PatternError::Brackets)?;
                rest = after.chars();
                digits(list)?
            }
            '*' | '#' => vec![character],
            _ if character.is_ascii_alphanumeric() => vec![character],
            _ => return Err(PatternError::Character),
        });
    }
    Ok(places)
}

/// Returns the digits of a list such as `13-5`.
fn digits(list: &str) -> Result<Vec<char>, PatternError> {
    let mut digits = Vec::new();
    let mut rest = list.chars().peekable();
    while let Some(first) = rest.next() {
        let last = match rest.next_if_eq(&'-') {
            Some(_) => rest.next().ok_or(PatternError::Brackets)?,
            None => first,
        };
        if !first.is_ascii_digit() || !last.is_ascii_digit() || last < first {
            return Err(PatternError::Brackets);
        }
        digits.extend(first..=last);
    }
    if digits.is_empty() { Err(PatternError::Brackets) } else { Ok(digits) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Result<Pattern, PatternError> {
        text.to_owned().try_into()
    }

    #[test]
    fn a_pattern_matches_whole_extensions() {
        for (text, matched, other) in [
            ("*98", vec!["*98"], vec!["*981", "*9", "98", ""]),
            ("operator", vec!["operator"], vec!["Operator", "operato"]),
            ("*9XX", vec!["*900", "*999"], vec!["*9", "*9000", "*9a0", "_*9XX"]),
            ("_ZN", vec!["12", "99"], vec!["02", "11"]),
            ("_*[13-5]#", vec!["*1#", "*4#"], vec!["*2#", "*6#", "*-#"]),
            ("_X", vec!["1"], vec!["X", "_1"]),
        ] {
            let pattern = pattern(text).unwrap();
            for extension in matched {
                assert!(pattern.matches(extension), "{text} must match {extension}");
            }
            for extension in other {
                assert!(!pattern.matches(extension), "{text} must not match {extension}");
            }
        }
    }

    #[test]
    fn what_could_match_a_number_after_a_service_code_is_no_pattern() {
        for (text, wrong) in [
            ("_*67.", PatternError::Character),
            ("_*67!", PatternError::Character),
            ("_*67XXXXXXX", PatternError::Length),
            ("123456789", PatternError::Length),
            ("", PatternError::Length),
            ("_", PatternError::Length),
            ("a b", PatternError::Character),
            ("a-b", PatternError::Character),
            ("_[12", PatternError::Brackets),
            ("_[]", PatternError::Brackets),
            ("_[5-1]", PatternError::Brackets),
            ("_[1-]", PatternError::Brackets),
        ] {
            assert_eq!(pattern(text), Err(wrong), "{text}");
        }
    }
}
