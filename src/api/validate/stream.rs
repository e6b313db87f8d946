//! A stream of items.

use super::Rules;
use super::batch::{self, MAX_ITEMS};
use super::text::label;
use crate::api::{At, Error, Violations};
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;
use crate::pb::{StreamBegin, StreamedItems};
use crate::store::calls::NewCall;

/// Checks what a stream is called, and where it goes.
///
/// # Errors
/// Every broken rule, up to 50.
pub fn begin(begin: &StreamBegin) -> Result<(), Error> {
    let mut violations = Violations::default();
    let at = At::field("begin");
    let at_id = at.then("stream_id");
    if begin.stream_id.is_empty() {
        violations.required(&at_id);
    } else {
        label(Some(&begin.stream_id), &at_id, &mut violations);
    }
    if begin.queue_id.is_some_and(|id| id < 1) {
        violations.invalid(&at.then("queue_id"), "must be at least 1, or absent for a new queue");
    }
    batch::dids(&begin.dids, &at.then("dids"), &mut violations);
    violations.finish()
}

/// Checks a message of items, of which the first must be the `expected`th of the stream, and makes what is stored of
/// it, and warnings.
///
/// # Errors
/// Every broken rule, up to 50.
pub fn items(
    message: &StreamedItems,
    expected: i64,
    dids: &[String],
    rules: &Rules,
    now: Millis,
) -> Result<(Vec<NewCall>, Vec<String>), Error> {
    let mut violations = Violations::default();
    let at = At::field("items");
    if message.position != expected {
        violations.invalid(&at.then("position"), format_args!("must be {expected}, and is {}", message.position));
    }
    let at_items = at.then("items");
    let items = match message.items.len() {
        1..=MAX_ITEMS => message.items.as_slice(),
        count => {
            violations.invalid(&at_items, format_args!("must hold 1 to {MAX_ITEMS} items, and holds {count}"));
            &[]
        }
    };
    let (mut calls, mut warnings) = (Vec::with_capacity(items.len()), Vec::new());
    for (index, one) in items.iter().enumerate() {
        if violations.is_full() {
            break;
        }
        let position = usize::try_from(expected).unwrap_or(0) + index;
        // They rotate over the stream, not over the message: how it was cut into messages changes nothing.
        let did = (!dids.is_empty()).then(|| &dids[position % dids.len()]);
        if let Some(call) = batch::item(one, did, rules, &at_items.index(index), &mut violations, now) {
            if call.status == CallStatus::Expired {
                warnings.push(format!("item {position}: its deadline has passed, the call is expired"));
            }
            calls.push(call);
        }
    }
    violations.finish()?;
    Ok((calls, warnings))
}
