//! Cursors of streams. An input is a query, and after a line end the header with which browsers resume a stream.

use serde_json::Value;
use trunkline::fuzzing::request;

use super::json::check_error;

/// The request of the stream of events.
const WATCH: &str = "WatchCallsRequest";

/// Reads the input as a request for a stream.
pub fn check(input: &[u8]) {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let query = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let header = lines.next();
    let read = match request(WATCH, &query, header, b"") {
        Ok(read) => read,
        Err(error) => return check_error(&error, WATCH, input.len()),
    };
    let asked: Value = serde_json::from_str(&read.json).expect("the server writes JSON");
    let after = asked.get("after").map(|after| after.as_i64().expect("a cursor is an integer"));
    assert!(after.is_none_or(|after| after >= 0) || !read.violations.is_empty(), "a forged cursor is refused");
    if let Some(header) = header.filter(|header| !header.is_empty()) {
        let header = std::str::from_utf8(header).expect("a header that was read is a text");
        assert_eq!(after.map(|after| after.to_string()), Some(canonical(header)), "the header is the cursor");
    }
    if let Some(after) = after {
        let id = after.to_string();
        for (query, header) in [(format!("after={id}"), None), (String::new(), Some(id.as_bytes()))] {
            let resumed = request(WATCH, &query, header, b"").expect("a cursor that was sent is accepted");
            let resumed: Value = serde_json::from_str(&resumed.json).expect("the server writes JSON");
            assert_eq!(resumed.get("after"), Some(&after.into()), "a stream resumes where it was");
        }
    }
}

/// Returns an integer as the server writes it: without `+` and without zeros at its start.
fn canonical(text: &str) -> String {
    let digits = text.trim_start_matches(['+', '-']).trim_start_matches('0');
    match digits {
        "" => "0".to_owned(),
        digits if text.starts_with('-') => format!("-{digits}"),
        digits => digits.to_owned(),
    }
}
