//! Checks the messages of a stream of items.

use super::Rules;
use super::{batch, labels};
use crate::api::fields::Check;
use crate::api::{At, Error, Violations};
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;
use crate::pb::{StreamBegin, StreamItemsRequest, StreamedItems};
use crate::store::calls::NewCall;

/// Checks the id of a stream, the queue it goes to, and its dids.
///
/// # Errors
/// Returns every broken rule, up to 50.
pub fn begin(begin: &StreamBegin) -> Result<(), Error> {
    let at = At::field("begin");
    let mut violations = Violations::in_order_of(StreamItemsRequest::NAME);
    begin.check(&at, &mut violations);
    batch::dids(&begin.dids, &at.then("dids"), &mut violations);
    labels::of_queue(&begin.labels, begin.queue_id, &at.then("labels"), &mut violations);
    violations.finish()
}

/// Checks a message of items, of which the first must be number `expected` of the stream, counted from 0. Returns the
/// calls that are stored for them, and warnings.
///
/// # Errors
/// Returns every broken rule, up to 50.
pub fn items(
    message: &StreamedItems,
    expected: i64,
    dids: &[String],
    rules: &Rules,
    now: Millis,
) -> Result<(Vec<NewCall>, Vec<String>), Error> {
    let at = At::field("items");
    let at_items = at.then("items");
    let mut violations = Violations::in_order_of(StreamItemsRequest::NAME);
    message.check(&at, &mut violations);
    if message.position != expected {
        let text = format_args!("must be {expected}, and is {}", message.position);
        violations.invalid_if_new(&at.then("position"), text);
    }
    let items = if violations.has(&at_items) { &[] } else { message.items.as_slice() };
    let (mut calls, mut warnings) = (Vec::with_capacity(items.len()), Vec::new());
    for (index, one) in items.iter().enumerate() {
        if violations.is_full() {
            break;
        }
        let position = usize::try_from(expected).unwrap_or(0) + index;
        // They rotate over the stream, so that it does not matter how it was divided into messages.
        let did = (!dids.is_empty()).then(|| &dids[position % dids.len()]);
        if let Some(call) = batch::item(one, did, rules, &at_items.index(index), &mut violations, now) {
            if call.status == CallStatus::Expired {
                warnings.push(format!("item {position}: its deadline has passed, the call is expired"));
            }
            if let Some(warning) = one.action.as_ref().and_then(batch::old_separator) {
                warnings.push(format!("item {position}: action.Variable: {warning}"));
            }
            calls.push(call);
        }
    }
    violations.finish()?;
    Ok((calls, warnings))
}
