//! Reads telephone numbers, which are compared by their digits alone.

/// The characters besides digits that a number may be written with.
const SEPARATORS: [char; 6] = ['+', ' ', '-', '.', '(', ')'];

/// Returns the digits of a text that has only digits and [`SEPARATORS`]. Returns None if it has other characters or no
/// digit.
#[must_use]
pub fn only_digits(number: &str) -> Option<String> {
    let plain = number.chars().all(|character| character.is_ascii_digit() || SEPARATORS.contains(&character));
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    (plain && !digits.is_empty()).then_some(digits)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_has_only_digits() {
        assert_eq!((only_digits("+49 151;x"), only_digits("+49 151").as_deref()), (None, Some("49151")));
        assert_eq!((only_digits("+"), only_digits("")), (None, None));
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
