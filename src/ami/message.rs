//! One AMI message: its bytes as they were received, and its headers, parsed on demand.

use std::borrow::Cow;

use bytes::Bytes;

/// A block of lines between two empty lines. It is parsed only on demand, because most events are skipped by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(Bytes);

impl Message {
    /// Makes a message from its lines, without the empty line that ends it.
    #[must_use]
    pub fn new(lines: Bytes) -> Self {
        Self(lines)
    }

    /// Returns the name and value of every header in order, repeated ones too. Lines without a colon are skipped.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], Cow<'_, str>)> {
        self.raw_headers().map(|(name, value)| (name, String::from_utf8_lossy(value)))
    }

    /// Returns the headers without decoding their values: most of them are never read, and an answered call has about
    /// 300.
    pub(super) fn raw_headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            loop {
                if rest.is_empty() {
                    return None;
                }
                let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                let line = &rest[..end];
                rest = rest.get(end + 1..).unwrap_or_default();
                if let Some(colon) = memchr::memchr(b':', line) {
                    return Some((&line[..colon], line[colon + 1..].trim_ascii()));
                }
            }
        })
    }

    /// Returns the first header of this name, in upper or lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, value) = self.raw_headers().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(String::from_utf8_lossy(value))
    }

    /// Returns the event's name if the message is an event. It is always the first header.
    #[must_use]
    pub fn event_name(&self) -> Option<&[u8]> {
        let line = &self.0[..memchr::memchr(b'\n', &self.0).unwrap_or(self.0.len())];
        let (name, value) = line.split_at_checked(6)?;
        name.eq_ignore_ascii_case(b"Event:").then(|| value.trim_ascii())
    }

    /// Returns true if the message answers an action.
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.0.len() >= 9 && self.0[..9].eq_ignore_ascii_case(b"Response:")
    }

    /// Returns the id of the action that the message belongs to.
    #[must_use]
    pub fn action_id(&self) -> Option<Cow<'_, str>> {
        self.get("ActionID")
    }

    /// Returns true for every response except `Response: Error`.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.get("Response").is_some_and(|response| !response.eq_ignore_ascii_case("Error"))
    }

    /// Returns the header `Message`: Asterisk's explanation for people. It is empty if there is none.
    #[must_use]
    pub fn text(&self) -> String {
        self.get("Message").map(Cow::into_owned).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_whatever_their_case_and_broken_lines_do_no_harm() {
        let message =
            Message::new(Bytes::from_static(b"Event: Hangup\r\nno colon\r\nuniqueid:  a:b \r\n:\r\nX: \xff\r\n"));
        assert_eq!(message.event_name(), Some(&b"Hangup"[..]));
        assert_eq!(message.get("Uniqueid").as_deref(), Some("a:b"));
        assert_eq!(message.get("X").as_deref(), Some("\u{fffd}"));
        assert_eq!(message.get("Cause"), None);
    }

    #[test]
    fn repeated_headers_are_all_there() {
        let message = Message::new(Bytes::from_static(b"Response: Success\r\nOutput: one\r\nOutput: two\r\n"));
        let output: Vec<_> = message.headers().filter(|(name, _)| *name == b"Output").map(|(_, v)| v).collect();
        assert_eq!(output, ["one", "two"]);
    }
}
