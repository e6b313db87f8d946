//! Notes are texts that the dialplan adds to a call's timeline. Their length and their number are limited.

use super::ids::CallId;
use super::time::Millis;

/// The longest text of a note, in characters. A longer one is cut.
pub const LONGEST: usize = 1000;

/// The largest number of notes of one attempt, so that a dialplan that loops does not fill the event log.
pub const MOST: u16 = 100;

/// A note about a call that the dialplan named by its id alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The call that the note is about.
    pub call: CallId,
    /// The client that the call must belong to: the client of the call whose channel reported the note. None if that
    /// channel belongs to no call.
    pub client_id: Option<i64>,
    /// When the note was received.
    pub at: Millis,
    /// What the note says.
    pub text: String,
}

/// Returns the text of a note: its headers as `Name: value`, joined by `; `, with a space for each control character.
#[must_use]
pub fn text<'h>(headers: impl IntoIterator<Item = (&'h str, &'h str)>) -> String {
    let mut text = String::new();
    for (name, value) in headers {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.extend([name, ": ", value]);
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_has_every_header_in_its_order() {
        assert_eq!(text([("Note", "pressed"), ("Digit", "5")]), "Note: pressed; Digit: 5");
        assert_eq!(text([]), "");
    }

    #[test]
    fn a_long_note_is_cut_but_never_within_a_character() {
        let long = text([("Note", "ü".repeat(2000).as_str())]);
        assert_eq!(long.chars().count(), LONGEST);
        assert_eq!(text([("A", "one\ttwo\0")]), "A: one two ");
    }
}
