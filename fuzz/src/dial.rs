//! Dial strings: what is written is read as the same again, by us and by Asterisk.

use trunkline::domain::dial::called::{Called, Reading};
use trunkline::domain::dial::dial_string::{self, DialString, Form, Way};

use super::{asterisk, servers};

/// The most digits of a number that is read. One that goes out may have a prefix more.
const MOST_DIGITS: usize = 32;

/// Reads the input as a dial string on each server.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = dial_string::trunk(&text);
    for server in servers::all() {
        if let Ok(parsed) = DialString::parse(&text, server.reading()) {
            check_parsed(&parsed, server.reading());
        }
    }
}

/// Checks what is written for a dial string.
pub fn check_parsed(parsed: &DialString, reading: Reading<'_>) {
    let written = parsed.write(reading);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/@_-.+*#".contains(&byte);
    assert!(written.bytes().all(is_plain), "{written:?} has a character with a meaning of its own");

    let is_long = parsed.called.as_ref().is_some_and(|called| reading.wire(called).len() > MOST_DIGITS);
    if !is_long {
        let again = DialString::parse(&written, reading).expect("what is written is read again");
        assert_eq!(again.write(reading), written, "what is written is written the same again");
        assert_eq!((again.technology, &again.way), (parsed.technology, &parsed.way), "{written}");
        let canonical = |dialed: &DialString| dialed.called.as_ref().map(|called| canonical(called, reading));
        assert_eq!(canonical(&again), canonical(parsed), "{written} calls what was checked");
    }
    assert_eq!(dial_string::trunk(&written), parsed.trunk(), "{written}");

    let (technology, resource) = written.split_once('/').expect("a technology");
    assert_eq!(technology, parsed.technology.as_str());
    let called = parsed.called.as_ref().map(|called| reading.wire(called));
    let (place, options, called) = match &parsed.way {
        Way::Context { context, options } => (context, options.as_str(), called),
        // The number is the name of the trunk.
        Way::Trunk { trunk, form: Form::Trunk } => (trunk, "", None),
        Way::Trunk { trunk, form: Form::NumberAtTrunk | Form::TrunkNumber } => (trunk, "", called),
    };
    let expected = asterisk::Parts { called: called.as_deref(), place, options };
    assert_eq!(asterisk::parts(technology, resource), expected, "Asterisk splits {written} as it was checked");
}

fn canonical(called: &Called, reading: Reading<'_>) -> String {
    match called {
        Called::Number(number) => reading.numbering.canonical(number),
        Called::Extension(extension) => extension.clone(),
    }
}
