//! Telephone numbers: one canonical form, which is digits alone, however a number is written and sent.

use trunkline::domain::extension::Pattern;
use trunkline::domain::number::{Numbering, read, read_field};

use super::servers;

/// The most digits of a number that is read, and of the country code that a server may add to it.
const MOST_DIGITS: usize = 32 + 3;

/// Reads the input as a number on each server.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(pattern) = Pattern::try_from(text.clone().into_owned()) {
        assert!(pattern.as_str().len() <= input.len() && !pattern.matches(""), "{text}");
    }
    let Ok(written) = read_field(&text) else {
        assert!(read(&text).is_err(), "a dial string allows no number that a field does not: {text:?}");
        return;
    };
    if let Ok(dialed) = read(&text) {
        assert_eq!(dialed, written, "{text:?} is the same number in a dial string and in a field");
    }
    assert!(written.digits().bytes().all(|byte| byte.is_ascii_digit()), "{text:?}");
    assert_eq!(read(&written.to_string()).as_ref(), Ok(&written), "{text:?} is read as it is written");

    let listed = Numbering::listed(&written);
    if Numbering::default().check(&written).is_ok()
        && let Ok(again) = read_field(&listed)
    {
        assert_eq!(Numbering::listed(&again), listed, "the entry of a list for {text:?} is its own canonical form");
    }
    for numbering in servers::all().map(|server| server.numbering) {
        let forms = numbering.compared(&written);
        let groups = numbering.prefix_forms(&written);
        if numbering.check(&written).is_err() {
            continue;
        }
        let canonical = numbering.canonical(&written);
        assert_eq!(forms.first(), Some(&canonical), "{text:?} is compared in its canonical form");
        for form in forms.iter().chain(groups.iter().flatten().map(|form| &form.digits)) {
            let is_number =
                (1..=2 * MOST_DIGITS).contains(&form.len()) && form.bytes().all(|byte| byte.is_ascii_digit());
            assert!(is_number, "{form:?} of {text:?} is digits alone");
        }
        assert!(canonical.len() <= MOST_DIGITS, "{canonical} of {text:?}");
        if !canonical.starts_with('0') && canonical.len() <= 32 {
            let again = read(&format!("+{canonical}")).expect("a canonical form is a number");
            assert_eq!(numbering.canonical(&again), canonical, "the canonical form of {text:?} is its own");
        }
        let wire = numbering.wire(&written);
        assert!(wire.bytes().all(|byte| byte.is_ascii_digit() || b"+*#".contains(&byte)), "{wire:?} of {text:?}");
        if let Ok(sent) = read(&wire) {
            assert_eq!(numbering.canonical(&sent), canonical, "{wire} is sent for {text:?}");
        } else {
            assert!(wire.len() > 32, "{wire} is sent for {text:?} and is a number");
        }
    }
}
