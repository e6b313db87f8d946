//! The numbers that a call would reach.

use super::numbering::Numbering;
use super::written::Written;

/// The field of a call that holds the number of the person whom it is for.
pub const CONTACT: &str = "contact_number";

/// A number that a call would reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The name of the field that names it: [`CONTACT`], `Channel`, `Data` or `Exten`.
    pub field: &'static str,
    /// Every form under which it may be listed, the canonical one first.
    pub forms: Vec<String>,
}

impl Reached {
    /// Returns the number's canonical form.
    #[must_use]
    pub fn canonical(&self) -> &str {
        self.forms.first().map_or("", String::as_str)
    }

    /// Returns true if the number itself rings when the call is dialed. The number of the person may be another one.
    #[must_use]
    pub fn rings(&self) -> bool {
        self.field != CONTACT
    }
}

/// Returns the numbers that a call would reach on a server: that of the person whom it is for, and those of its legs,
/// each with the name of the field that names it.
pub fn reached<'a>(
    contact: Option<&Written>,
    called: impl IntoIterator<Item = (&'static str, &'a Written)>,
    numbering: &Numbering,
) -> Vec<Reached> {
    let contact = contact.map(|number| Reached { field: CONTACT, forms: numbering.compared(number) });
    let called = called.into_iter().map(|(field, number)| Reached { field, forms: numbering.compared(number) });
    contact.into_iter().chain(called).collect()
}
