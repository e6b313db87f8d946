//! Values for AMI headers. A value of these types cannot end its line, so it cannot inject a header.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// The longest value in bytes. Asterisk cuts a line at 1024 bytes (`struct mansession`, `inbuf`); with our longest
/// header name and CR LF a line with such a value has 1000.
pub const MAX_BYTES: usize = 980;

/// The most header lines of an action. Asterisk refuses an action with more (`AST_MAX_MANHEADERS`).
pub const MAX_HEADERS: usize = 128;

/// Why a text cannot be the value of an AMI header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// The text would end the line or the C string.
    #[error("must not contain CR, LF or NUL")]
    LineEnd,
    /// The text is too long: Asterisk would cut it.
    #[error("is {0} bytes long; at most {MAX_BYTES} are allowed")]
    TooLong(usize),
    /// The name of a channel variable would call a function or split the header.
    #[error("is not the name of a channel variable: use letters, digits and `_`, at most 80, and no digit first")]
    VariableName,
    /// The action has more lines than Asterisk accepts.
    #[error("has {0} header lines; Asterisk accepts at most {MAX_HEADERS}")]
    TooManyHeaders(usize),
}

/// A text without CR, LF and NUL, at most [`MAX_BYTES`] long.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HeaderValue(String);

impl HeaderValue {
    /// Returns the value's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Fails if a text cannot be a value; nothing is copied.
    ///
    /// # Errors
    /// Returns why the text cannot be a value.
    pub fn check(text: &str) -> Result<(), InvalidValue> {
        if text.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(InvalidValue::LineEnd);
        }
        if text.len() > MAX_BYTES {
            return Err(InvalidValue::TooLong(text.len()));
        }
        Ok(())
    }
}

impl TryFrom<String> for HeaderValue {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::check(&text)?;
        Ok(Self(text))
    }
}

impl TryFrom<&str> for HeaderValue {
    type Error = InvalidValue;

    fn try_from(text: &str) -> Result<Self, InvalidValue> {
        text.to_owned().try_into()
    }
}

impl fmt::Display for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A password that can be sent in a header. It is never printed.
#[derive(Clone)]
pub struct Secret(HeaderValue);

impl Secret {
    /// Returns the text, to be sent to Asterisk only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<&SecretString> for Secret {
    type Error = InvalidValue;

    fn try_from(secret: &SecretString) -> Result<Self, InvalidValue> {
        secret.expose_secret().try_into().map(Self)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A channel variable of an Originate: one `Variable` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable(HeaderValue);

impl Variable {
    /// Makes a variable from any value and a name of at most 80 letters, digits and `_` that does not begin with a
    /// digit. Up to two leading `_` make the variable inherited.
    ///
    /// A name with `(` would call a function that writes, such as `SHELL(…)`. Asterisk splits the header at commas
    /// outside quotes and brackets, and a backslash makes it take the next character literally
    /// (`__ast_app_separate_args` in `main/app.c`), so those characters are escaped.
    pub fn new(name: &str, value: &str) -> Result<Self, InvalidValue> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || name.len() > 80 || !name.bytes().all(plain) || name.as_bytes()[0].is_ascii_digit() {
            return Err(InvalidValue::VariableName);
        }
        let mut line = format!("{name}=");
        for character in value.chars() {
            if matches!(character, '\\' | '"' | ',' | '(' | ')' | '[' | ']') {
                line.push('\\');
            }
            line.push(character);
        }
        line.try_into().map(Self)
    }

    /// Returns the header's value: `name=value`, escaped.
    #[must_use]
    pub fn header(&self) -> &HeaderValue {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_that_ends_a_line_becomes_a_value() {
        for text in ["a\r\nAction: Command", "a\nb", "a\rb", "a\0b"] {
            assert_eq!(HeaderValue::try_from(text), Err(InvalidValue::LineEnd), "{text:?}");
        }
        assert_eq!(HeaderValue::try_from("x".repeat(981)), Err(InvalidValue::TooLong(981)));
    }

    #[test]
    fn a_function_is_not_a_variable() {
        for name in ["SHELL(touch /tmp/x)", "FILE(/etc/passwd)", "A=B", "A,B", "", "1A", "Ä"] {
            assert_eq!(Variable::new(name, "x"), Err(InvalidValue::VariableName), "{name}");
        }
        assert_eq!(Variable::new("__LEAD_1", "a,b").unwrap().header().as_str(), r"__LEAD_1=a\,b");
    }

    #[test]
    fn a_secret_follows_the_same_rules_and_is_never_printed() {
        let secret = |text: &str| Secret::try_from(&SecretString::from(text));
        assert_eq!(secret("a\r\nAction: Command").unwrap_err(), InvalidValue::LineEnd);
        assert_eq!(format!("{:?}", secret("hunter2").unwrap()), "Secret");
    }

    proptest! {
        #[test]
        fn whatever_passes_is_one_line(text in any::<String>()) {
            if let Ok(value) = HeaderValue::try_from(text) {
                prop_assert_eq!(format!("X: {value}\r\n").lines().count(), 1);
                prop_assert!(!value.as_str().contains(['\r', '\n', '\0']));
            }
        }
    }
}
