//! Why a text is not a number.

/// The most digits of a number, with its international prefix and the prefixes that a carrier asks for. E.164 itself
/// has at most 15.
pub(super) const MAX_DIGITS: usize = 32;

/// Why a text is not a number that can be dialed or compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// The text has no digit.
    #[error("must be a number, such as +493023125018")]
    Empty,
    /// The text is a number in scientific notation, as spreadsheets write long ones.
    #[error("must not be in scientific notation, which has lost digits: write all digits, such as 919877000000")]
    Exponent,
    /// The text ends in a decimal part, as spreadsheets write numbers.
    #[error("must not have a decimal part: write the digits alone, such as 12025550143")]
    Decimal,
    /// The text has a letter.
    #[error("must not contain letters, but contains `{0}`")]
    Letter(char),
    /// The text has a digit of another script than ASCII.
    #[error("must be written with the digits 0 to 9, but contains `{0}`")]
    ForeignDigit(char),
    /// The text has a character that no number has.
    #[error("must not contain {0:?}: a number is an optional +, digits, and spaces, -, ., ( or ) between them")]
    Character(char),
    /// A `+` is not the first character of the number.
    #[error("must not contain `+` after the first digit")]
    Plus,
    /// The country code, or what is in its place, begins with 0.
    #[error("must not have a 0 after + or after the international prefix: no country code begins with 0")]
    CountryCodeZero,
    /// `(0)` is at a place where it cannot be the national prefix after a country code.
    #[error("must not contain `(0)` except directly after the country code")]
    Zero,
    /// The text has too many digits.
    #[error("must have at most {MAX_DIGITS} digits, but has {0}")]
    TooLong(usize),
    /// The number has a service code that the server does not list.
    #[error("must not begin with a service code that the server does not list in service_codes, but is {0}")]
    ServiceCode(String),
    /// A service code has no number after it.
    #[error("must have a number after the service code {0}")]
    CodeAlone(String),
}
