//! Checks of texts whose length is only known in the form in which they go to Asterisk.

use crate::ami::{HeaderValue, InvalidValue, Variable};
use crate::api::{At, Violations};

/// Notes a text that was made from several fields if it is too long for a line of AMI, although each of them fits.
pub fn fits(made: &str, at: &At<'_>, violations: &mut Violations) {
    if let Err(error @ InvalidValue::TooLong(_)) = HeaderValue::check(made) {
        violations.invalid_if_new(at, format_args!("together with the text it is sent in, it {error}"));
    }
}

/// Notes a text that reaches the dialplan as channel variable `name` if it is too long once it is escaped.
pub fn fits_variable(name: &str, text: Option<&str>, at: &At<'_>, violations: &mut Violations) {
    let Some(text) = text else { return };
    if let Err(error) = Variable::new(name, text) {
        violations.invalid_if_new(at, format_args!("as a channel variable it {error}"));
    }
}
