//! What numbers mean on a server, and the extensions of a grant.

use crate::api::{At, Error, Violations};
use crate::domain::extension::Pattern;
use crate::domain::number::{DialFormat, Numbering};
use crate::pb::{self, CreateServerRequest};

/// The most digits of an international prefix.
const INTERNATIONAL_DIGITS: usize = 5;

/// Checks what numbers mean on a server in the state that it is to have. What is wrong is noted.
pub fn numbering(request: &CreateServerRequest, violations: &mut Violations) -> Numbering {
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let at = At::field("international_prefixes");
    for (index, prefix) in request.international_prefixes.iter().enumerate() {
        if prefix.is_empty() || prefix.len() > INTERNATIONAL_DIGITS || !is_digits(prefix) {
            let why = format_args!("must be 1 to {INTERNATIONAL_DIGITS} digits, such as 00");
            violations.invalid_if_new(&at.index(index), why);
        }
    }
    let country = request.country_code.as_deref().unwrap_or_default();
    if !is_digits(country) || country.starts_with('0') {
        violations.invalid_if_new(&At::field("country_code"), "must be 1 to 3 digits without a leading 0, such as 49");
    }
    let national = request.national_prefix.as_deref().unwrap_or_default();
    if !is_digits(national) {
        violations.invalid_if_new(&At::field("national_prefix"), "must be 1 to 3 digits, such as 0");
    }
    let at = At::field("service_codes");
    for (index, code) in request.service_codes.iter().enumerate() {
        let is_sign = |byte: u8| matches!(byte, b'*' | b'#');
        if !code.bytes().any(is_sign) || !code.bytes().all(|byte| is_sign(byte) || byte.is_ascii_digit()) {
            violations.invalid_if_new(&at.index(index), "must be digits with * or #, such as *31#");
        }
    }
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Numbering {
        international_prefixes: request.international_prefixes.clone(),
        country_code: some(country),
        national_prefix: some(national),
        service_codes: request.service_codes.clone(),
        dial_format: match request.dial_format() {
            pb::DialFormat::Unspecified | pb::DialFormat::AsGiven => DialFormat::AsGiven,
            pb::DialFormat::E164 => DialFormat::E164,
            pb::DialFormat::Digits => DialFormat::Digits,
            pb::DialFormat::International => DialFormat::International,
        },
    }
}

/// Checks the patterns of extensions that a grant allows. `violations` are those of the request's fields.
///
/// # Errors
/// Returns every broken rule.
pub fn extensions(patterns: &[String], mut violations: Violations) -> Result<Vec<Pattern>, Error> {
    let at = At::field("extensions");
    let mut read = Vec::with_capacity(patterns.len());
    for (index, pattern) in patterns.iter().enumerate() {
        match Pattern::try_from(pattern.clone()) {
            Ok(pattern) => read.push(pattern),
            Err(error) => violations.invalid_if_new(&at.index(index), error),
        }
    }
    violations.finish()?;
    Ok(read)
}

/// Converts the format in which numbers go out.
pub fn dial_format(format: DialFormat) -> pb::DialFormat {
    match format {
        DialFormat::AsGiven => pb::DialFormat::AsGiven,
        DialFormat::E164 => pb::DialFormat::E164,
        DialFormat::Digits => pb::DialFormat::Digits,
        DialFormat::International => pb::DialFormat::International,
    }
}
