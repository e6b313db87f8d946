//! Reads telephone numbers, which are compared by their digits alone.

/// The characters besides digits that a number may be written with.
pub const SEPARATORS: [char; 6] = ['+', ' ', '-', '.', '(', ')'];

/// Returns the digits that a text begins with, without [`SEPARATORS`], up to the first other character. Returns None if
/// there is no digit before it.
#[must_use]
pub fn digits(number: &str) -> Option<String> {
    let written = |character: &char| character.is_ascii_digit() || SEPARATORS.contains(character);
    let digits: String = number.chars().take_while(written).filter(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

/// Returns the digits of a text that has only digits and [`SEPARATORS`]. Returns None if it has other characters or no
/// digit.
#[must_use]
pub fn only_digits(number: &str) -> Option<String> {
    let plain = number.chars().all(|character| character.is_ascii_digit() || SEPARATORS.contains(&character));
    digits(number).filter(|_| plain)
}

/// Returns the number and the trunk of a dial string. `PJSIP/123@trunk` and `SIP/trunk/123` have both, `PJSIP/endpoint`
/// has only a trunk, which is the endpoint, and `Local/123@context/n` has only a number.
#[must_use]
pub fn dialed(channel: &str) -> (Option<&str>, Option<&str>) {
    let Some((technology, resource)) = channel.split_once('/') else { return (None, None) };
    if technology.eq_ignore_ascii_case("Local") {
        let number = resource.split(['@', '/']).next().unwrap_or(resource);
        return (Some(number), None);
    }
    match resource.rsplit_once('@') {
        Some((number, trunk)) => (Some(number), Some(trunk)),
        None => match resource.split_once('/') {
            Some((trunk, number)) => (Some(number), Some(trunk)),
            None => (None, Some(resource)),
        },
    }
}

/// Returns the digits of the number that a dial string calls. The number may also be the name of an endpoint, as in
/// `PJSIP/49123`.
#[must_use]
pub fn called(channel: &str) -> Option<String> {
    match dialed(channel) {
        (Some(number), _) => digits(number),
        (None, endpoint) => only_digits(endpoint?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_is_named_by_a_number_calls_that_number() {
        assert_eq!(called("PJSIP/+49123").as_deref(), Some("49123"));
        assert_eq!(called("PJSIP/49123@trunk").as_deref(), Some("49123"));
        assert_eq!((called("PJSIP/agent7"), called("nonsense")), (None, None));
    }

    #[test]
    fn a_number_has_the_same_digits_however_it_is_written() {
        for text in ["+49 151 2345", "49-151-2345", "(49) 151.2345", "491512345"] {
            assert_eq!(digits(text).as_deref(), Some("491512345"), "{text}");
        }
        assert_eq!((digits("sip:1"), digits("+"), digits("")), (None, None, None));
    }

    #[test]
    fn text_after_a_number_does_not_hide_its_digits() {
        assert_eq!(digits("+49 151;phone-context=x").as_deref(), Some("49151"));
        assert_eq!((only_digits("+49 151;x"), only_digits("+49 151").as_deref()), (None, Some("49151")));
    }

    #[test]
    fn a_dial_string_names_its_number_and_its_trunk() {
        assert_eq!(dialed("PJSIP/123@trunk"), (Some("123"), Some("trunk")));
        assert_eq!(dialed("SIP/trunk/123"), (Some("123"), Some("trunk")));
        assert_eq!(dialed("PJSIP/endpoint1"), (None, Some("endpoint1")));
        assert_eq!(dialed("Local/123@context/n"), (Some("123"), None));
        assert_eq!(dialed("nonsense"), (None, None));
    }
}
