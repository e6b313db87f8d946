//! Why a text of an Originate is refused.

use std::fmt;

/// Why a text is refused. The two kinds are told apart because a client can mend the one, and only an administrator can
/// allow the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The text cannot be read as what it should be; the request is invalid.
    Malformed(String),
    /// The text can be read, and what it asks for is not granted; permission is denied.
    Denied(String),
}

impl Fault {
    /// Makes a fault of a text that cannot be read.
    pub fn malformed(why: impl fmt::Display) -> Self {
        Self::Malformed(why.to_string())
    }

    /// Makes a fault of something that is not granted.
    pub fn denied(why: impl fmt::Display) -> Self {
        Self::Denied(why.to_string())
    }

    /// Returns why the text is refused, as a text for people.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Malformed(why) | Self::Denied(why) => why,
        }
    }
}
