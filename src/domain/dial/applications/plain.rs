//! What the arguments of several applications have in common.

use crate::domain::dial::fault::Fault;

/// Joins arguments with commas, without the empty ones at the end.
#[must_use]
pub fn join(arguments: &[&str]) -> String {
    let given = arguments.iter().rposition(|argument| !argument.is_empty()).map_or(0, |last| last + 1);
    arguments[..given].join(",")
}

/// Reads a URL that is sent to a phone. Asterisk itself does not fetch it.
///
/// # Errors
/// Refuses a text with characters that Asterisk could read as more than a part of the URL.
pub fn url(text: &str) -> Result<String, Fault> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "-._~:/?#@&=+%".contains(character);
    if text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(Fault::malformed("the URL must consist of letters, digits and `-._~:/?#@&=+%`"))
}

/// Returns true for a text in which Asterisk reads no character as anything else: no brackets, quotes, backslashes,
/// `${`, `$[` or control characters.
#[must_use]
pub fn is_text(text: &str) -> bool {
    let fits = |character: char| {
        !character.is_control() && !matches!(character, '(' | ')' | '[' | ']' | '"' | '\'' | '\\' | '$' | '|' | '^')
    };
    text.chars().all(fits)
}
