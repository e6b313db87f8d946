//! A queue that is about to be created, by itself or with its first calls.

use super::labels;
use super::rules::rules;
use crate::api::{At, Error, Violations, fields};
use crate::domain::labels::Labels;
use crate::domain::time::Millis;
use crate::pb::{CreateQueueRequest, InsertBatchRequest, QueueRules, StreamBegin, Timestamp};
use crate::store::new_queues::NewQueue;

/// Checks a queue that is created by itself, and returns what is stored for it.
///
/// # Errors
/// Returns every broken rule.
pub fn create(request: &CreateQueueRequest, now: Millis) -> Result<NewQueue, Error> {
    let mut violations = fields::violations(request);
    let rules = checked(request.rules.as_ref(), &At::root(), &mut violations);
    let (start_at, end_at) = (request.start_at.and_then(millis), request.end_at.and_then(millis));
    let at_end = At::field("end_at");
    if end_at.is_some_and(|end| end <= now) {
        violations.invalid_if_new(&at_end, "must be in the future");
    } else if start_at.zip(end_at).is_some_and(|(start, end)| start >= end) {
        violations.invalid_if_new(&at_end, "must be later than start_at");
    }
    labels::check(&request.labels, &At::field("labels"), &mut violations);
    violations.finish()?;
    let (name, labels) = (request.name.clone(), request.labels.clone());
    Ok(NewQueue { name, paused: request.paused, rules, start_at, end_at, labels })
}

/// Checks what a batch says of the queue that it creates.
pub fn of_batch(request: &InsertBatchRequest, violations: &mut Violations) -> NewQueue {
    let InsertBatchRequest { queue_id, name, paused, rules, labels, .. } = request;
    with_calls(*queue_id, (name.as_ref(), labels), *paused, rules.as_ref(), &At::root(), violations)
}

/// Checks what a stream says of the queue that it creates.
pub fn of_stream(begin: &StreamBegin, at: &At<'_>, violations: &mut Violations) -> NewQueue {
    let StreamBegin { queue_id, name, paused, rules, labels, .. } = begin;
    with_calls(*queue_id, (name.as_ref(), labels), *paused, rules.as_ref(), at, violations)
}

/// Returns a time of a request in milliseconds; None if no calendar holds it.
pub fn millis(time: Timestamp) -> Option<Millis> {
    jiff::Timestamp::try_from(time).ok().map(|time| Millis(time.as_millisecond()))
}

fn with_calls(
    queue_id: Option<i64>,
    (name, labels): (Option<&String>, &Labels),
    paused: bool,
    rules: Option<&QueueRules>,
    at: &At<'_>,
    violations: &mut Violations,
) -> NewQueue {
    labels::of_queue(labels, queue_id, &at.then("labels"), violations);
    if let Some(queue_id) = queue_id {
        for (field, is_given) in [("name", name.is_some()), ("paused", paused), ("rules", rules.is_some())] {
            if is_given {
                let why = format_args!("is only for a new queue, and queue_id names queue {queue_id}");
                violations.invalid_if_new(&at.then(field), why);
            }
        }
    }
    let (name, labels) = (name.cloned(), labels.clone());
    NewQueue { name, paused, rules: checked(rules, at, violations), labels, ..NewQueue::default() }
}

fn checked(
    given: Option<&QueueRules>,
    at: &At<'_>,
    violations: &mut Violations,
) -> crate::domain::queue_rules::QueueRules {
    given.map(|given| rules(given, &at.then("rules"), violations)).unwrap_or_default()
}
