//! CSV files of calls: each is read or refused with its lines, and the same calls are sent however it is interrupted.

use std::collections::BTreeMap;

use trunkline::fuzzing::{Imported, import};
use trunkline::pb::QueueItem;

/// The most lines that an error lists.
const MOST_REPORTED: usize = 50;

/// Reads the input as a CSV file with calls, with two delimiters, with and without templates for its columns.
pub fn check(input: &[u8]) {
    let templates =
        [BTreeMap::new(), BTreeMap::from([("data", "PJSIP/{channel}@t,{timeout}"), ("application", "Dial")])];
    for set in &templates {
        for delimiter in [b',', b';'] {
            let read = match import(input, delimiter, set, 0) {
                Ok(read) => read,
                Err(wrong) => {
                    assert!((1..=MOST_REPORTED).contains(&wrong.len()), "{} errors", wrong.len());
                    let bytes: usize = wrong.iter().map(String::len).sum();
                    assert!(bytes <= (2000 + 16 * input.len()) * wrong.len(), "{bytes} bytes of errors");
                    continue;
                }
            };
            check_calls(&read, !has_lone_cr(input));
            let skipped = read.count / 2;
            let rest = import(input, delimiter, set, skipped).expect("a file that was read is read again");
            assert_eq!(rest.count, read.count);
            let left = read.batches.iter().filter(|(offset, calls)| offset + number(calls) > skipped);
            assert!(left.eq(&rest.batches), "the same batches are sent after an interruption");
        }
    }
}

/// Returns true if a CR ends a record but no line.
fn has_lone_cr(input: &[u8]) -> bool {
    (0..input.len()).any(|at| input[at] == b'\r' && input.get(at + 1) != Some(&b'\n'))
}

fn check_calls(read: &Imported, has_own_lines: bool) {
    let mut calls = 0;
    let mut last = u64::from(has_own_lines);
    for (offset, batch) in &read.batches {
        assert_eq!(*offset, calls, "a batch follows the one before it");
        assert!((1..=1000).contains(&batch.len()), "{} calls in a batch", batch.len());
        calls += number(batch);
        for (line, call) in batch {
            assert!(*line > last || (*line >= last && !has_own_lines), "line {line} is after line {last}");
            last = *line;
            check_call(call);
        }
    }
    assert_eq!(calls, read.count, "every call that was counted is sent");
}

fn check_call(call: &QueueItem) {
    assert!(!call.asterisk_server_code.is_empty(), "a call has the server of the command or of its line");
    let action = call.action.as_ref().expect("a call has an action");
    assert_eq!(action.action, "Originate");
    let is_filled = |text: &Option<String>| text.as_deref().is_none_or(|text| !text.trim().is_empty());
    assert!(is_filled(&action.channel) && is_filled(&action.data), "an empty cell sets nothing");
    if let Some(number) = &call.contact_number_text {
        let is_number = |byte: u8| byte.is_ascii_digit() || b"+*#".contains(&byte);
        assert!(number.bytes().all(is_number) && call.contact_number.is_none(), "{number:?} is a number");
    }
    assert!(action.variables.iter().all(|(name, value)| !name.is_empty() && !value.is_empty()));
}

fn number(calls: &[(u64, QueueItem)]) -> u64 {
    u64::try_from(calls.len()).expect("fewer calls than a file can have")
}
