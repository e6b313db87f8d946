//! Checks the messages of a stream of items.

use super::{Rules, batch, new_queue};
use crate::api::fields::Check;
use crate::api::{At, Error, Violations};
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;
use crate::pb::{StreamBegin, StreamItemsRequest, StreamedItems};
use crate::store::calls::NewCall;
use crate::store::new_queues::NewQueue;

/// Checks the id of a stream, the queue it goes to, and its dids.
///
/// # Errors
/// Returns every broken rule, up to 50.
pub fn begin(begin: &StreamBegin) -> Result<NewQueue, Error> {
    let at = At::field("begin");
    let mut violations = Violations::in_order_of(StreamItemsRequest::NAME);
    begin.check(&at, &mut violations);
    batch::dids(&begin.dids, &at.then("dids"), &mut violations);
    let queue = new_queue::of_stream(begin, &at, &mut violations);
    violations.finish()?;
    Ok(queue)
}

/// How far a stream is when a message of items arrives, counted in items from 0.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The number of items that were stored when the connection began. The client may not know it yet.
    pub resumed_at: i64,
    /// The number of items that are stored, or will be together with this message.
    pub stored: i64,
}

impl Progress {
    /// Returns how many of the items from a position on are stored already. Items are skipped only up to those that an
    /// earlier connection stored: an item that this connection sends twice is a mistake.
    fn skipped(self, position: i64, items: usize) -> usize {
        let end = position.saturating_add(i64::try_from(items).unwrap_or(i64::MAX));
        let is_resumed = position < self.resumed_at && (self.stored == self.resumed_at || end <= self.resumed_at);
        if !is_resumed {
            return 0;
        }
        usize::try_from(self.stored.saturating_sub(position)).unwrap_or(0).min(items)
    }
}

/// Checks a message of items. The first must be the stream's next item, or one that an earlier connection stored already;
/// stored items are skipped. Returns the calls that are stored for the others, and warnings.
///
/// # Errors
/// Returns every broken rule, up to 50.
pub fn items(
    message: &StreamedItems,
    progress: Progress,
    dids: &[String],
    rules: &Rules,
    now: Millis,
) -> Result<(Vec<NewCall>, Vec<String>), Error> {
    let at = At::field("items");
    let at_items = at.then("items");
    let mut violations = Violations::in_order_of(StreamItemsRequest::NAME);
    message.check(&at, &mut violations);
    let (expected, skipped) = (progress.stored, progress.skipped(message.position, message.items.len()));
    if message.position != expected && skipped == 0 {
        let text = format_args!("must be {expected}, and is {}", message.position);
        violations.invalid_if_new(&at.then("position"), text);
    }
    let items = if violations.has(&at_items) { &[] } else { message.items.as_slice() };
    let (mut calls, mut warnings) = (Vec::with_capacity(items.len()), Vec::new());
    for (index, one) in items.iter().enumerate().skip(skipped) {
        if violations.is_full() {
            break;
        }
        let position = usize::try_from(expected).unwrap_or(0) + index - skipped;
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
