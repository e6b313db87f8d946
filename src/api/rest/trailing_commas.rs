//! Allows a comma after the last field or element, because an example in the guide has one.

use jsonc_parser::tokens::Token;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

/// Allows trailing commas and nothing else that strict JSON forbids.
pub const TRAILING_COMMAS_ONLY: ParseOptions = ParseOptions {
    allow_trailing_commas: true,
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Returns `text` with a space for each trailing comma, so that lines and columns stay the same. None if it has no
/// trailing comma, or is not JSON without them either.
pub fn without(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let collect = CollectOptions { tokens: true, ..CollectOptions::default() };
    let tokens = parse_to_ast(text, &collect, &TRAILING_COMMAS_ONLY).ok()?.tokens?;
    let mut strict = String::with_capacity(text.len());
    let mut copied = 0;
    for pair in tokens.windows(2) {
        if let [comma, end] = pair
            && comma.token == Token::Comma
            && matches!(end.token, Token::CloseBrace | Token::CloseBracket)
        {
            strict.push_str(text.get(copied..comma.range.start)?);
            strict.push(' ');
            copied = comma.range.end;
        }
    }
    if copied == 0 {
        return None;
    }
    strict.push_str(text.get(copied..)?);
    Some(strict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_commas_become_spaces() {
        let text = "{\"a\": [1, 2,\n], \"b\": {\"c\": \",}\",},}";
        assert_eq!(without(text.as_bytes()).as_deref(), Some("{\"a\": [1, 2 \n], \"b\": {\"c\": \",}\" } }"));
    }

    #[test]
    fn no_other_leniency_is_allowed() {
        for text in ["{a: 1,}", "{'a': 1,}", "[1 2,]", "[0xFF,]", "[1,] // one", "[NaN,]", "[+1,]", "[.5,]"] {
            assert_eq!(without(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_comma_alone_stays_invalid() {
        for text in ["[,]", "{,}", "[1,,]", "[1],"] {
            let strict = without(text.as_bytes()).unwrap_or_else(|| text.to_owned());
            assert!(serde_json::from_str::<serde_json::Value>(&strict).is_err(), "{text}");
        }
    }
}
