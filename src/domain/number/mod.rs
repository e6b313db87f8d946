//! Telephone numbers: how a number may be written, and which numbers are the same.
//!
//! A text is first read by [`read`], which drops what is only for the eye and refuses all that is not a number. What the
//! number means depends on the server that dials it, whose settings are its [`Numbering`]: its prefixes, its country and
//! its service codes. A number is compared in its canonical form, the digits of E.164 without `+`.

mod error;
mod numbering;
mod reached;
mod written;

pub use error::NumberError;
pub use numbering::{DialFormat, Form, Numbering};
pub use reached::{CONTACT, Reached, reached};
pub use written::{Written, read, read_field};

#[cfg(test)]
mod tests;
