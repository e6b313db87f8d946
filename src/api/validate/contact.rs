//! The number of the person called, which is an integer, or a text if an integer cannot hold its prefix.

use super::ServerRules;
use crate::api::{At, Violations};
use crate::domain::number::{Numbering, read_field};

/// The largest contact number.
const MAX: i64 = 1_000_000_000_000_000;

/// The number of the person called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// The number as an integer, by which calls are searched.
    pub number: Option<i64>,
    /// The number as it was written, if it is not the integer's digits.
    pub written: Option<String>,
}

/// Reads the number of the person called. What is wrong with it is noted; REST also gives the integer if that is the field
/// that held the text.
pub fn contact(
    number: Option<i64>,
    text: Option<&str>,
    server: Option<&ServerRules>,
    at: &At<'_>,
    violations: &mut Violations,
) -> Contact {
    let Some(text) = text else {
        return Contact { number, written: None };
    };
    let at = at.then(if number.is_some() { "contact_number" } else { "contact_number_text" });
    let default = Numbering::default();
    let numbering = server.map_or(&default, |server| &server.numbering);
    match read_field(text).and_then(|number| numbering.check(&number).map(|()| number)) {
        Ok(written) => match integer(&numbering.canonical(&written)) {
            Some(number) => Contact { number: Some(number), written: Some(written.to_string()) },
            None => {
                violations.invalid_if_new(&at, format_args!("must be 0 to {MAX}"));
                Contact::default()
            }
        },
        Err(error) => {
            violations.invalid_if_new(&at, error);
            Contact::default()
        }
    }
}

/// Returns the integers under which a national number, which is given without its leading 0, is stored for calls through
/// servers with these settings.
pub fn stored(number: i64, numberings: &[Numbering]) -> Vec<i64> {
    let Ok(written) = read_field(&format!("0{number}")) else { return Vec::new() };
    let forms = numberings.iter().flat_map(|numbering| numbering.compared(&written));
    let mut numbers: Vec<i64> = forms.filter_map(|form| integer(&form)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn integer(canonical: &str) -> Option<i64> {
    canonical.parse().ok().filter(|number| *number <= MAX)
}
