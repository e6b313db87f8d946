//! Reads a number as it is written, without what is only for the eye.

use std::fmt;

use super::error::{MAX_DIGITS, NumberError};

/// A number as it was written, without separators and invisible characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Written {
    /// The text before the number that ends in `*` or `#`, or before its `+`; empty in most numbers. For `*671900` it
    /// is `*`: only a server's list tells where its service code ends.
    code: String,
    plus: bool,
    digits: String,
}

impl Written {
    /// Makes a number of an integer, which has no prefix.
    #[must_use]
    pub fn of_integer(number: i64) -> Self {
        Self { code: String::new(), plus: false, digits: number.unsigned_abs().to_string() }
    }

    /// Returns true if the number, without a service code, begins with `+`.
    #[must_use]
    pub fn has_plus(&self) -> bool {
        self.plus
    }

    /// Returns the ASCII digits after `+` or after the last `*` or `#`.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// Returns the text before the digits that ends in `*` or `#`, or before their `+`, such as `*31#`; empty in most
    /// numbers.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Returns true if the text has `*` or `#`, so that it is a service code with a number, or an extension of a PBX
    /// such as `*98`.
    #[must_use]
    pub fn is_special(&self) -> bool {
        !self.code.is_empty()
    }
}

/// Writes the number without separators.
impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.code, if self.plus { "+" } else { "" }, self.digits)
    }
}

/// Reads a number that is part of a dial string or an extension, where `/` separates other parts.
///
/// # Errors
/// Says what keeps the text from being a number. `*` and `#` do not: whether a service code may be dialed depends on
/// the server (`Numbering::check`).
pub fn read(text: &str) -> Result<Written, NumberError> {
    parse(text, false)
}

/// Reads a number from a field that holds nothing else, where `/` is a separator too.
///
/// # Errors
/// As [`read`].
pub fn read_field(text: &str) -> Result<Written, NumberError> {
    parse(text, true)
}

fn parse(text: &str, slash: bool) -> Result<Written, NumberError> {
    let visible: String = text.chars().filter(|character| !is_invisible(*character)).collect();
    check_characters(&visible, slash)?;
    if has_decimal_part(&visible) {
        return Err(NumberError::Decimal);
    }
    let compact: String =
        visible.chars().filter(|character| !matches!(character, ' ' | '\u{a0}' | '\u{202f}')).collect();
    let plain: String = without_zero(&compact)?.chars().filter(|c| matches!(c, '0'..='9' | '+' | '*' | '#')).collect();
    let (code, number) = match plain.rfind(['*', '#']) {
        Some(last) if plain[last + 1..].contains('+') => plain.split_at(plain.find('+').unwrap_or(last + 1)),
        Some(last) => plain.split_at(last + 1),
        None => ("", plain.as_str()),
    };
    let (plus, digits) = match number.strip_prefix('+') {
        Some(digits) => (true, digits),
        None => (false, number),
    };
    if digits.contains('+') || code.contains('+') {
        return Err(NumberError::Plus);
    }
    if digits.is_empty() {
        return Err(if code.is_empty() { NumberError::Empty } else { NumberError::CodeAlone(code.to_owned()) });
    }
    if plus && digits.starts_with('0') {
        return Err(NumberError::CountryCodeZero);
    }
    let count = code.len() + digits.len();
    if count > MAX_DIGITS {
        return Err(NumberError::TooLong(count));
    }
    Ok(Written { code: code.to_owned(), plus, digits: digits.to_owned() })
}

/// Returns true for the marks of writing direction and the characters without width, which copied numbers often have.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

fn check_characters(text: &str, slash: bool) -> Result<(), NumberError> {
    if is_exponent(text) {
        return Err(NumberError::Exponent);
    }
    let is_wrong = |character: &char| match character {
        '0'..='9' | '+' | '*' | '#' | ' ' | '\u{a0}' | '\u{202f}' | '-' | '.' | '(' | ')' => false,
        '/' => !slash,
        _ => true,
    };
    match text.chars().find(is_wrong) {
        None => Ok(()),
        Some(digit) if digit.is_numeric() => Err(NumberError::ForeignDigit(digit)),
        Some(letter) if letter.is_alphabetic() => Err(NumberError::Letter(letter)),
        Some(other) => Err(NumberError::Character(other)),
    }
}

/// Returns true for a number such as `9.19877E+11`.
fn is_exponent(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.trim().split_once(['e', 'E']) else { return false };
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_digit = |character: char| character.is_ascii_digit();
    let in_mantissa = |character: char| character.is_ascii_digit() || matches!(character, '.' | ',' | '+' | '-');
    mantissa.contains(is_digit)
        && mantissa.chars().all(in_mantissa)
        && !exponent.is_empty()
        && exponent.chars().all(is_digit)
}

/// Returns true for digits with one point, after which are one or two digits or nothing but zeros, as in
/// `12025550143.0`.
fn has_decimal_part(text: &str) -> bool {
    let text = text.trim();
    let Some((whole, part)) = text.split_once('.') else { return false };
    let is_digit = |character: char| character.is_ascii_digit();
    let whole = whole.strip_prefix('+').unwrap_or(whole);
    if part.is_empty() || whole.is_empty() || !whole.chars().chain(part.chars()).all(is_digit) {
        return false;
    }
    part.len() <= 2 || part.chars().all(|digit| digit == '0')
}

/// Drops a `(0)` after a country code, which the reader of `+49 (0)30` leaves out when calling from abroad. At the
/// start of a number, as in `(0)30`, it is kept. The text has no spaces.
fn without_zero(text: &str) -> Result<String, NumberError> {
    let Some((before, after)) = text.split_once("(0)") else { return Ok(text.to_owned()) };
    let number = before.rsplit(['*', '#']).next().unwrap_or(before);
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() && !number.contains('+') {
        return Ok(text.to_owned());
    }
    let is_country = if number.contains('+') {
        (1..=3).contains(&digits.len())
    } else {
        // An international prefix may be before the code; otherwise no code begins with 0.
        digits.len() <= 7 && (!digits.starts_with('0') || digits.starts_with("00") || digits.starts_with("011"))
    };
    if !is_country || after.contains("(0)") {
        return Err(NumberError::Zero);
    }
    Ok(format!("{before}{after}"))
}
