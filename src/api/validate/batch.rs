//! A batch of calls.

use prost::Message;
use sha2::{Digest, Sha256};

use super::Rules;
use super::originate::{Around, RecordingFields, plan, recording};
use super::text::{label, plain_if_given};
use crate::api::{At, Error, Violations};
use crate::domain::ids::CallId;
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;
use crate::pb::{InsertBatchRequest, QueueItem};
use crate::store::batches::NewBatch;
use crate::store::calls::NewCall;

/// Calls in one batch at most.
pub const MAX_ITEMS: usize = 1000;

/// Tries beyond the first at most.
pub const MAX_RETRY: i32 = 100;

/// Largest contact number: 15 digits are the most that E.164 allows.
const MAX_CONTACT: i64 = 1_000_000_000_000_000;

/// Checks a batch and makes what is stored of it.
///
/// # Errors
/// Every broken rule, up to 50.
pub fn batch(
    request: &InsertBatchRequest,
    rules: &Rules,
    mut warnings: Vec<String>,
    now: Millis,
) -> Result<NewBatch, Error> {
    let mut violations = Violations::default();
    if request.batch_id.is_none() {
        violations.required(&At::field("batch_id"));
    }
    if request.queue_id.is_some_and(|id| id < 1) {
        violations.invalid(&At::field("queue_id"), "must be at least 1, or null for a new queue");
    }
    let at_data = At::field("data");
    let items = match request.data.len() {
        1..=MAX_ITEMS => request.data.as_slice(),
        count => {
            violations.invalid(&at_data, format_args!("must hold 1 to {MAX_ITEMS} items, and holds {count}"));
            &[]
        }
    };
    dids(&request.dids, &mut violations);
    let mut calls = Vec::with_capacity(items.len());
    for (index, one) in items.iter().enumerate() {
        if violations.is_full() {
            break;
        }
        // The dids rotate over all calls, so that each is used as often as the others.
        let did = (!request.dids.is_empty()).then(|| &request.dids[index % request.dids.len()]);
        let at = at_data.index(index);
        if let Some(call) = item(one, did, rules, &at, &mut violations, now) {
            if call.status == CallStatus::Expired {
                warnings.push(format!("{at}.deadline: has passed, the call is expired"));
            }
            calls.push(call);
        }
    }
    violations.finish()?;
    Ok(NewBatch {
        client_id: rules.client.id,
        batch_id: request.batch_id.unwrap_or_default(),
        queue_id: request.queue_id,
        content_sha256: content(request),
        calls,
        warnings,
    })
}

/// The SHA-256 of a request after parsing: what two requests have in common that differ in spelling alone.
pub fn content(request: &impl Message) -> [u8; 32] {
    Sha256::digest(request.encode_to_vec()).into()
}

fn dids(dids: &[String], violations: &mut Violations) {
    let at = At::field("dids");
    if dids.len() > MAX_ITEMS {
        violations.invalid(&at, format_args!("must hold at most {MAX_ITEMS}, and holds {}", dids.len()));
    }
    for (index, did) in dids.iter().take(MAX_ITEMS).enumerate() {
        plain_if_given(Some(did), &at.index(index), violations);
    }
}

fn item(
    item: &QueueItem,
    did: Option<&String>,
    rules: &Rules,
    at: &At<'_>,
    violations: &mut Violations,
    now: Millis,
) -> Option<NewCall> {
    if !(0..=MAX_RETRY).contains(&item.retry) {
        violations.invalid(&at.then("retry"), format_args!("must be 0 to {MAX_RETRY}"));
    }
    if item.contact_number.is_some_and(|number| !(0..=MAX_CONTACT).contains(&number)) {
        violations.invalid(&at.then("contact_number"), "must be 0 to 10^15");
    }
    plain_if_given(item.caller_id.as_deref(), &at.then("caller_id"), violations);
    label(item.project.as_deref(), &at.then("project"), violations);
    let server = server(&item.asterisk_server_code, rules, at, violations);
    let deadline = deadline(item, at, violations);
    let Some(action) = &item.action else {
        violations.required(&at.then("action"));
        return None;
    };
    let id = CallId::new();
    let server = server?;
    let recording = if item.create_recording {
        let (path, command) = (item.recording_path.as_deref(), item.mix_monitor_command.as_deref());
        Some(recording(RecordingFields { path, command }, id, server, at, violations)?)
    } else {
        None
    };
    let caller_id = item.caller_id.clone().or_else(|| did.cloned());
    let plan = plan(action, Around { at: *at, channel: None, data: None, caller_id, recording }, rules, violations)?;
    let expired = deadline.is_some_and(|deadline| deadline <= now);
    Some(NewCall {
        id,
        server_code: item.asterisk_server_code.clone(),
        status: if expired { CallStatus::Expired } else { CallStatus::Queued },
        plan,
        max_retries: item.retry,
        contact_number: item.contact_number,
        project: item.project.clone(),
        action_id: action.action_id.clone(),
        did: did.cloned(),
        deadline,
    })
}

/// The granted server of that code.
pub fn server<'r>(
    code: &str,
    rules: &'r Rules,
    at: &At<'_>,
    violations: &mut Violations,
) -> Option<&'r super::ServerRules> {
    let at = at.then("asterisk_server_code");
    if code.is_empty() {
        violations.required(&at);
        return None;
    }
    let server = rules.servers.get(code);
    if server.is_none() {
        violations.invalid(&at, format_args!("server {code} is unknown, or was not granted"));
    }
    server
}

fn deadline(item: &QueueItem, at: &At<'_>, violations: &mut Violations) -> Option<Millis> {
    let deadline = jiff::Timestamp::try_from(item.deadline?);
    match deadline {
        Ok(deadline) => Some(Millis(deadline.as_millisecond())),
        Err(error) => {
            violations.invalid(&at.then("deadline"), error);
            None
        }
    }
}
