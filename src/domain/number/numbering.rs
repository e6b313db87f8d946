//! What numbers mean on a server: its prefixes, its country and its service codes.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::error::NumberError;
use super::written::Written;

/// The international prefixes of a server that names none: those of most countries, and of North America.
const INTERNATIONAL_PREFIXES: [&str; 2] = ["00", "011"];

/// The fewest digits of a number that is completed by a country code although it has no national prefix. Shorter ones
/// are emergency and other short numbers.
const COMPLETED_DIGITS: usize = 7;

/// The fewest digits with which a national number without a prefix may also be an international one without `+`, when
/// rules for prefixes are applied. Without this, a Spanish `881...` would be denied as a satellite phone.
const AMBIGUOUS_DIGITS: usize = 11;

/// The country code of North America, where a national number has ten digits.
const NORTH_AMERICA: &str = "1";

/// How numbers go out to a server's trunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialFormat {
    /// The number goes out as it was written, without separators.
    #[default]
    AsGiven,
    /// The number goes out as `+` and its canonical digits.
    E164,
    /// The number goes out as its canonical digits.
    Digits,
    /// The number goes out as the server's first international prefix and its canonical digits.
    International,
}

/// What numbers mean on a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Numbering {
    /// The prefixes that lead to a country code, such as `00`. Empty for the default, `00` and `011`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub international_prefixes: Vec<String>,
    /// The code of the country that national numbers belong to, such as `49`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    /// The prefix of national numbers, such as `0`. If it is absent and `country_code` is not, every number without an
    /// international prefix is national.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub national_prefix: Option<String>,
    /// The service codes that may be dialed before a number, such as `*31#`. Each has a `*` or `#`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_codes: Vec<String>,
    /// How numbers go out.
    #[serde(skip_serializing_if = "is_as_given")]
    pub dial_format: DialFormat,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_as_given(format: &DialFormat) -> bool {
    *format == DialFormat::AsGiven
}

/// A form in which a number may be written in a rule for prefixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The digits of the form.
    pub digits: String,
    /// How many digits shorter the form is than the canonical form of the same number; below 0 if it is longer.
    /// Matches in different forms are compared by their length in the canonical form.
    pub shorter: isize,
}

/// What a number is on a server.
struct Reading {
    canonical: String,
    /// The other numbers that it is if a carrier reads it differently.
    others: Vec<String>,
}

/// A number in its parts.
struct Split<'a> {
    /// The service code; empty if there is none that the server lists.
    code: &'a str,
    plus: bool,
    /// The digits after the code. They begin with the code if the server does not list it.
    digits: Cow<'a, str>,
}

impl Numbering {
    /// Returns every form under which the number may be listed: its canonical form first, then the numbers that it is
    /// if a carrier reads it differently, and the national form of each.
    #[must_use]
    pub fn compared(&self, written: &Written) -> Vec<String> {
        let Reading { canonical, others } = self.reading(written);
        let mut forms = vec![canonical];
        forms.extend(others);
        for index in 0..forms.len() {
            let national = self.national_forms(&forms[index]);
            let international = self.international_prefixes.iter().map(|prefix| format!("{prefix}{}", forms[index]));
            // The lists hold what their own reader makes of a number.
            let listed: Vec<String> =
                national.into_iter().chain(international).map(|form| bare_canonical(&form)).collect();
            forms.extend(listed);
        }
        let mut seen = HashSet::new();
        forms.retain(|form| seen.insert(form.clone()));
        forms
    }

    /// Returns the canonical form of a number, which is its digits in E.164 without `+`. A number that begins with no
    /// prefix of the server is its own canonical form if the server has no country code.
    #[must_use]
    pub fn canonical(&self, written: &Written) -> String {
        self.reading(written).canonical
    }

    /// Returns the canonical form of a number that belongs to no server, such as one of a do-not-call list: what is
    /// after `+` or one of the default international prefixes, otherwise its digits.
    #[must_use]
    pub fn listed(written: &Written) -> String {
        Self::default().canonical(written)
    }

    /// Returns the forms of a number to which rules for prefixes apply, grouped by the number that a carrier may read:
    /// the canonical one first.
    #[must_use]
    pub fn prefix_forms(&self, written: &Written) -> Vec<Vec<Form>> {
        let Reading { canonical, others } = self.reading(written);
        let raw = self.split(written).digits;
        let is_likely = |other: &String| *other != raw || other.len() >= AMBIGUOUS_DIGITS;
        let numbers = std::iter::once(canonical).chain(others.into_iter().filter(is_likely));
        let group = |(index, number): (usize, String)| {
            let mut forms = vec![number.clone()];
            forms.extend(self.national_forms(&number));
            if index == 0 {
                forms.push(raw.to_string());
            }
            // Without a 0, the beginning of a national number would look like a country code.
            let kept = |(place, form): &(usize, String)| *place == 0 || (form.starts_with('0') && *form != number);
            let length = number.len().cast_signed();
            let form = |(_, digits): (usize, String)| Form { shorter: length - digits.len().cast_signed(), digits };
            forms.into_iter().enumerate().filter(kept).map(form).collect()
        };
        numbers.enumerate().map(group).collect()
    }

    /// Returns the number as it goes out, in the server's format. A service code that the server lists goes out before
    /// it.
    #[must_use]
    pub fn wire(&self, written: &Written) -> String {
        let Split { code, plus, digits } = self.split(written);
        let canonical = self.canonical(written);
        // It has no country code: it is an emergency number, or a national one whose country is unknown.
        let is_bare = !plus && canonical == digits && (digits.starts_with('0') || digits.len() < COMPLETED_DIGITS);
        match self.dial_format {
            DialFormat::AsGiven => written.to_string(),
            _ if is_bare => written.to_string(),
            DialFormat::E164 => format!("{code}+{canonical}"),
            DialFormat::Digits => format!("{code}{canonical}"),
            DialFormat::International => {
                // A prefix that begins another one could make that of some numbers.
                let is_read = |prefix: &&str| {
                    self.after_international(&format!("{prefix}{canonical}")) == Some(canonical.as_str())
                };
                let prefix = self.international().find(is_read).unwrap_or_default();
                format!("{code}{prefix}{canonical}")
            }
        }
    }

    /// Checks that the server may dial the number: that it lists the number's service code, if there is one, and that a
    /// country code is after an international prefix.
    ///
    /// # Errors
    /// Returns [`NumberError::ServiceCode`], [`NumberError::CodeAlone`] or [`NumberError::CountryCodeZero`].
    pub fn check(&self, written: &Written) -> Result<(), NumberError> {
        let Split { code, plus, digits } = self.split(written);
        if digits.contains(['*', '#']) {
            return Err(NumberError::ServiceCode(written.to_string()));
        }
        if digits.is_empty() {
            return Err(NumberError::CodeAlone(code.to_owned()));
        }
        // Three zeros alone are an emergency number.
        let is_zero =
            |prefix: &str| digits.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('0') && rest.len() > 1);
        if !plus && self.international().any(is_zero) {
            return Err(NumberError::CountryCodeZero);
        }
        Ok(())
    }

    /// Returns the prefixes that lead to a country code: the server's own, or the default ones.
    pub fn international(&self) -> impl Iterator<Item = &str> {
        let own = self.international_prefixes.iter().map(String::as_str);
        let default = INTERNATIONAL_PREFIXES.iter().copied().filter(|_| self.international_prefixes.is_empty());
        own.chain(default)
    }

    fn country(&self) -> Option<&str> {
        self.country_code.as_deref().filter(|code| !code.is_empty())
    }

    /// Returns the national prefix if national numbers cannot be without it.
    fn required_prefix(&self) -> Option<&str> {
        self.prefix().filter(|prefix| Some(*prefix) != self.country())
    }

    fn prefix(&self) -> Option<&str> {
        self.national_prefix.as_deref().filter(|prefix| !prefix.is_empty())
    }

    fn split<'a>(&'a self, written: &'a Written) -> Split<'a> {
        let (plus, digits) = (written.has_plus(), Cow::Borrowed(written.digits()));
        if !written.is_special() {
            return Split { code: "", plus, digits };
        }
        let whole = format!("{}{}", written.code(), written.digits());
        let begins = |code: &&str| {
            let rest = whole.strip_prefix(*code);
            (!plus || *code == written.code()) && rest.is_some_and(|rest| !rest.contains(['*', '#']))
        };
        let code = self.service_codes.iter().map(String::as_str).filter(begins).max_by_key(|code| code.len());
        let rest = code.and_then(|code| whole.strip_prefix(code)).unwrap_or(&whole);
        Split { code: code.unwrap_or_default(), plus, digits: Cow::Owned(rest.to_owned()) }
    }

    fn reading(&self, written: &Written) -> Reading {
        let Split { plus, digits, .. } = self.split(written);
        let mut others = Vec::new();
        let canonical = if plus {
            digits.into_owned()
        } else if let Some(after) = self.after_international(&digits) {
            others.extend(self.completed(&digits));
            after.to_owned()
        } else if let Some(completed) = self.completed(&digits) {
            others.push(digits.into_owned());
            completed
        } else {
            let (canonical, other) = self.unprefixed(&digits);
            others.extend(other);
            canonical
        };
        // Many carriers drop the national prefix in `+49 030 ...`.
        let surplus = self.country().zip(self.prefix()).and_then(|(country, prefix)| {
            let rest = canonical.strip_prefix(country)?.strip_prefix(prefix)?;
            (prefix.starts_with('0') && !rest.is_empty()).then(|| format!("{country}{rest}"))
        });
        others.extend(surplus);
        others.retain(|other| *other != canonical && !other.starts_with('0'));
        Reading { canonical, others }
    }

    /// Returns what is after the longest international prefix of a number, which begins with a country code.
    fn after_international<'d>(&self, digits: &'d str) -> Option<&'d str> {
        let rests = self.international().filter_map(|prefix| digits.strip_prefix(prefix));
        rests.filter(|rest| !rest.is_empty() && !rest.starts_with('0')).min_by_key(|rest| rest.len())
    }

    /// Returns a number that begins with the national prefix with the country code in its place.
    fn completed(&self, digits: &str) -> Option<String> {
        let (country, prefix) = (self.country()?, self.prefix()?);
        let rest = digits.strip_prefix(prefix).filter(|rest| !rest.is_empty() && !rest.starts_with('0'))?;
        Some(format!("{country}{rest}"))
    }

    /// Returns what a number is that begins with none of the server's prefixes, and what else it may be.
    fn unprefixed(&self, digits: &str) -> (String, Option<String>) {
        let own = digits.to_owned();
        let Some(country) = self.country() else { return (own, None) };
        let completed = format!("{country}{digits}");
        if digits.len() < COMPLETED_DIGITS {
            // A short number, such as a directory enquiry service, which may also be listed with its country code.
            return (own, Some(completed));
        }
        if self.required_prefix().is_some() {
            return (own, None);
        }
        if country == NORTH_AMERICA && digits.len() > 10 {
            return (own, None);
        }
        let is_whole = if country == NORTH_AMERICA { digits.len() < 10 } else { digits.starts_with(country) };
        if is_whole { (own, Some(completed)) } else { (completed, Some(own)) }
    }

    /// Returns the national forms of a number in its canonical form: none if it is of another country.
    fn national_forms(&self, canonical: &str) -> Vec<String> {
        let rest = self.country().and_then(|country| canonical.strip_prefix(country)).filter(|rest| !rest.is_empty());
        let (Some(rest), Some(country)) = (rest, self.country()) else { return Vec::new() };
        match self.required_prefix() {
            // `+49 030 ...`, and what `+49 (0)30 ...` was stored as by earlier versions.
            Some(prefix) => vec![format!("{prefix}{rest}"), format!("{country}{prefix}{rest}")],
            None => vec![rest.to_owned()],
        }
    }
}

/// Returns what a do-not-call list holds for a number that is written with digits alone.
fn bare_canonical(digits: &str) -> String {
    Numbering::default().after_international(digits).unwrap_or(digits).to_owned()
}
