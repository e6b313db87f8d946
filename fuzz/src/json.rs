//! JSON bodies: each is read or refused with a bounded answer, and what was read is written and read as the same.

use serde_json::Value;
use trunkline::api::Error;
use trunkline::fuzzing::{REQUESTS, request};

/// The most violations that an answer lists.
const MOST_VIOLATIONS: usize = 50;

/// Reads the input as the body of each kind of request.
pub fn check(input: &[u8]) {
    for message in REQUESTS {
        match request(message, "", None, input) {
            Ok(read) => {
                let most = 64 * (input.len() + 64);
                assert!(read.json.len() <= most, "{} bytes of {message} from {}", read.json.len(), input.len());
                assert!(read.violations.len() <= MOST_VIOLATIONS);
                // A body without a field changes nothing, and such a mask is refused.
                if read.json.contains("\"update_mask\":[]") {
                    continue;
                }
                let again = request(message, "", None, read.json.as_bytes());
                let again = again.unwrap_or_else(|error| panic!("{message} {} is read again: {error}", read.json));
                assert_eq!(value(&again.json), value(&read.json), "{message} is read as it is written");
            }
            Err(error) => check_error(&error, message, input.len()),
        }
    }
}

/// Checks that an error is one of the request, and that it repeats no more than what was sent.
pub fn check_error(error: &Error, message: &str, sent: usize) {
    let is_of_request = matches!(error, Error::Malformed(_) | Error::InvalidArgument(_));
    assert!(is_of_request, "{message} is refused as a fault of the request: {error:?}");
    if let Error::InvalidArgument(violations) = error {
        assert!((1..=MOST_VIOLATIONS).contains(&violations.len()), "{} violations", violations.len());
    }
    // A text is repeated as a Rust literal, in which a control character may take ten bytes.
    assert!(error.to_string().len() <= 2000 + 16 * sent, "{message}: {error}");
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).expect("the server writes JSON")
}
