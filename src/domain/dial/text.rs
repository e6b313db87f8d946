//! Texts that Asterisk gets as they are, such as a caller id or the value of a variable.

/// Why a text that Asterisk would evaluate is refused.
pub const EVALUATED: &str = "must not contain `${` or `$[`";

/// Returns true if Asterisk would evaluate a part of the text as a variable, a function or an expression.
#[must_use]
pub fn is_evaluated(text: &str) -> bool {
    text.contains("${") || text.contains("$[")
}

/// Returns why a text cannot go out to Asterisk; None if it can.
#[must_use]
pub fn fault(text: &str) -> Option<&'static str> {
    if is_evaluated(text) {
        return Some(EVALUATED);
    }
    // An ESC could move the cursor of the terminal in which someone reads Asterisk's console.
    text.contains(|c: char| c.is_ascii_control()).then_some("must not contain ASCII control characters")
}
