//! What a dial string or an extension calls: a telephone number, or an extension of a PBX.

use super::fault::Fault;
use crate::domain::extension::Pattern;
use crate::domain::number::{self, Numbering, Written};

/// What is called through a trunk or in a dialplan context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    /// A telephone number, to which the rules for destinations and do-not-call lists apply.
    Number(Written),
    /// An extension that is no telephone number, such as `s` or a granted `*98`.
    Extension(String),
}

/// What a text that names a number or an extension is read with: the rules of its server, and the client's grant for it.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// How numbers are written on the server.
    pub numbering: &'a Numbering,
    /// The extensions that the client may dial there, such as `*9X`.
    pub extensions: &'a [Pattern],
}

impl Reading<'_> {
    /// Reads what is called through a trunk.
    ///
    /// # Errors
    /// Refuses a text that is neither a number nor a granted extension.
    pub fn called(&self, text: &str) -> Result<Called, Fault> {
        let read = number::read(text).and_then(|number| self.numbering.check(&number).map(|()| number));
        match read {
            // The rules for numbers hold for every number, also for one that a pattern matches.
            Ok(number) => Ok(Called::Number(number)),
            Err(_) if self.extensions.iter().any(|pattern| pattern.matches(text)) => {
                Ok(Called::Extension(text.to_owned()))
            }
            Err(error) => Err(Fault::malformed(format_args!("{text:?}: {error}"))),
        }
    }

    /// Reads an extension of a dialplan context, which may also be a word such as `s` or `sales-menu`. A word has no
    /// digits, so that no number hides in it.
    ///
    /// # Errors
    /// Refuses a text that is neither a number, nor a word, nor a granted extension.
    pub fn exten(&self, text: &str) -> Result<Called, Fault> {
        let is_word = |character: char| character.is_ascii_alphabetic() || matches!(character, '_' | '-');
        let begins = text.chars().next().is_some_and(|first| first.is_ascii_alphabetic());
        if begins && text.chars().all(is_word) && text.len() <= super::names::MAX_CONTEXT_BYTES {
            return Ok(Called::Extension(text.to_owned()));
        }
        self.called(text)
    }

    /// Writes what is called as the server wants it.
    #[must_use]
    pub fn wire(&self, called: &Called) -> String {
        match called {
            Called::Number(number) => self.numbering.wire(number),
            Called::Extension(extension) => extension.clone(),
        }
    }
}

impl Called {
    /// Returns the telephone number that is called; None for an extension.
    #[must_use]
    pub const fn number(&self) -> Option<&Written> {
        match self {
            Self::Number(number) => Some(number),
            Self::Extension(_) => None,
        }
    }
}
