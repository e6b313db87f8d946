//! A batch of calls.

use prost::Message;
use sha2::{Digest, Sha256};

use super::contact::contact;
use super::new_queue::{self, millis};
use super::originate::{ItemContext, RecordingFields, given, recording, spec};
use super::rules::{retry_rules, time_zone};
use super::text::{fits, fits_variable};
use super::{Rules, ServerRules};
use crate::api::{At, Error, Violations, fields};
use crate::domain::dial::fault::Fault;
use crate::domain::ids::CallId;
use crate::domain::originate::Recording;
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;
use crate::domain::variables;
use crate::pb::{InsertBatchRequest, OriginateAction, QueueItem, Timestamp};
use crate::store::batches::NewBatch;
use crate::store::calls::NewCall;

/// Checks a batch, and returns what is stored for it.
///
/// # Errors
/// Returns every broken rule, up to 50.
pub fn batch(
    request: &InsertBatchRequest,
    rules: &Rules,
    mut warnings: Vec<String>,
    now: Millis,
) -> Result<NewBatch, Error> {
    let mut violations = fields::violations(request);
    let at_data = At::field("data");
    let items = if violations.has(&at_data) { &[] } else { request.data.as_slice() };
    dids(&request.dids, &At::field("dids"), &mut violations);
    let queue = new_queue::of_batch(request, &mut violations);
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
            if let Some(warning) = one.action.as_ref().and_then(old_separator) {
                warnings.push(format!("{at}.action.Variable: {warning}"));
            }
            calls.push(call);
        }
    }
    violations.finish()?;
    Ok(NewBatch {
        client_id: rules.client.id,
        batch_id: request.batch_id.unwrap_or_default(),
        queue_id: request.queue_id,
        queue,
        content_sha256: content(request),
        calls,
        warnings,
    })
}

/// Returns the SHA-256 of a request after parsing, which is the same for requests that differ only in spelling.
pub fn content(request: &impl Message) -> [u8; 32] {
    Sha256::digest(request.encode_to_vec()).into()
}

/// Returns a warning if an action seems to separate variables as Asterisk did before version 1.6.
pub fn old_separator(action: &OriginateAction) -> Option<String> {
    let pairs = action.variable.as_deref()?.split(',');
    // A value may contain one, so that it is only a warning.
    let parted = pairs.filter_map(|pair| pair.split_once('|')).find(|(_, rest)| {
        rest.split_once('=').is_some_and(|(name, _)| !name.is_empty() && variables::unfit(name.trim()).is_none())
    });
    let (first, _) = parted?;
    let name = first.split('=').next().unwrap_or_default().trim();
    Some(format!("variables are separated by a comma; the | is a part of the value of {name}"))
}

/// Checks numbers that rotate over calls, as channel variables.
pub fn dids(dids: &[String], at: &At<'_>, violations: &mut Violations) {
    if violations.has(at) {
        return;
    }
    for (index, did) in dids.iter().enumerate() {
        fits_variable("__DID", Some(did), &at.index(index), violations);
    }
}

/// Checks an item whose fields have been checked each by itself, and makes the call that is stored. None if something
/// is wrong, which is noted.
pub fn item(
    item: &QueueItem,
    did: Option<&String>,
    rules: &Rules,
    at: &At<'_>,
    violations: &mut Violations,
    now: Millis,
) -> Option<NewCall> {
    time_zone(item.time_zone.as_deref(), at, violations);
    let retry_rules = retry_rules(&item.retry_rules, &at.then("retry_rules"), violations);
    let server = server(&item.asterisk_server_code, rules, at, violations);
    let (not_before, deadline) = times(item.not_before, item.deadline, at, violations);
    let id = CallId::new();
    let recording = recording_of(item, id, rules, server, at, violations);
    let contact = contact(item.contact_number, item.contact_number_text.as_deref(), server, at, violations);
    let action = item.action.as_ref()?;
    let caller_id = caller_id(item, action, did, rules, at, violations);
    let time_zone = item.time_zone.clone();
    let contact_number = contact.number;
    let labels = item.labels.clone();
    let context = ItemContext { caller_id, recording, time_zone, retry_rules, contact, labels, ..ItemContext::of(*at) };
    let (spec, reaches) = spec(action, context, rules, server, violations)?;
    let expired = deadline.is_some_and(|deadline| deadline <= now);
    Some(NewCall {
        id,
        server_code: item.asterisk_server_code.clone(),
        status: if expired { CallStatus::Expired } else { CallStatus::Queued },
        spec,
        max_retries: item.retry,
        contact_number,
        reaches,
        project: item.project.clone(),
        action_id: action.action_id.clone(),
        did: did.cloned(),
        deadline,
        deadline_is_default: false,
        not_before,
    })
}

/// Reads the earliest and the latest time of a call, of which the first must be before the second.
pub fn times(
    not_before: Option<Timestamp>,
    deadline: Option<Timestamp>,
    at: &At<'_>,
    violations: &mut Violations,
) -> (Option<Millis>, Option<Millis>) {
    let (not_before, deadline) = (not_before.and_then(millis), deadline.and_then(millis));
    if not_before.zip(deadline).is_some_and(|(earliest, latest)| earliest >= latest) {
        violations.invalid_if_new(&at.then("not_before"), "must be earlier than deadline");
    }
    (not_before, deadline)
}

fn recording_of(
    item: &QueueItem,
    call: CallId,
    rules: &Rules,
    server: Option<&ServerRules>,
    at: &At<'_>,
    violations: &mut Violations,
) -> Option<Recording> {
    let fields = RecordingFields { path: item.recording_path.as_deref(), command: item.mix_monitor_command.as_deref() };
    if item.create_recording {
        return recording(fields, call, server, at, violations);
    }
    // Fields about a recording must be right and granted even if no recording is made.
    if fields != RecordingFields::default()
        && let Some(unmade) = recording(fields, call, server, at, violations)
        && let Some(denied) = rules.policy.check_recording(&unmade)
    {
        match denied.fault {
            Fault::Malformed(why) => violations.invalid_if_new(&at.then(denied.field), why),
            Fault::Denied(why) => violations.denied(&at.then(denied.field), why),
        }
    }
    None
}

/// Returns the action's caller id, else the item's, changed by the did as the client's policy says.
fn caller_id(
    item: &QueueItem,
    action: &OriginateAction,
    did: Option<&String>,
    rules: &Rules,
    at: &At<'_>,
    violations: &mut Violations,
) -> Option<String> {
    let (at_action, of_action) = (at.then("action"), given(action.caller_id.as_deref()));
    let own_at = if of_action.is_some() { at_action.then("CallerID") } else { at.then("caller_id") };
    let own = of_action.or(item.caller_id.as_deref());
    let made = rules.policy.did_policy.caller_id(own, did.map(String::as_str));
    // A name with a did in the place of its number may be longer than both were.
    if let (Some(made), Some(_)) = (&made, own) {
        fits(made, &own_at, violations);
    }
    made
}

/// Returns the server of that code if the client was granted it.
pub fn server<'r>(code: &str, rules: &'r Rules, at: &At<'_>, violations: &mut Violations) -> Option<&'r ServerRules> {
    let server = rules.servers.get(code);
    if server.is_none() {
        let at = at.then("asterisk_server_code");
        violations.invalid_if_new(&at, format_args!("server {code} is unknown, or was not granted"));
    }
    server
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::domain::did::DidPolicy;
    use crate::domain::limits::Limits;
    use crate::domain::policy::Policy;
    use crate::store::clients::Client;

    fn rules(did_policy: DidPolicy) -> Rules {
        let client = Client {
            id: 1,
            name: "acme".into(),
            account_code: "acme".into(),
            disabled: false,
            limits: "{}".into(),
            policy: "{}".into(),
            created_at: 0,
            updated_at: 0,
        };
        let server = ServerRules { dial_template: "PJSIP/{number}".into(), ..ServerRules::default() };
        Rules {
            client,
            policy: Policy { did_policy, ..Policy::default() },
            limits: Default::default(),
            servers: HashMap::from([("server1".to_owned(), server)]),
            queue: Limits::default(),
        }
    }

    fn item(caller_id: Option<&str>) -> QueueItem {
        let action = OriginateAction {
            action: "Originate".into(),
            channel: Some("PJSIP/1@e".into()),
            application: Some("Wait".into()),
            data: Some("1".into()),
            caller_id: caller_id.map(str::to_owned),
            ..OriginateAction::default()
        };
        QueueItem { asterisk_server_code: "server1".into(), action: Some(action), ..QueueItem::default() }
    }

    #[test]
    fn the_clients_did_policy_decides_the_caller_id_and_the_did_stays_the_calls() {
        let named = "\"Acme\" <1001>";
        let request = InsertBatchRequest {
            batch_id: Some(1),
            data: vec![item(None), item(Some(named))],
            dids: vec!["+49301".into()],
            ..InsertBatchRequest::default()
        };
        for (policy, expected) in [
            (DidPolicy::Fill, [Some("+49301"), Some(named)]),
            (DidPolicy::Force, [Some("+49301"), Some("\"Acme\" <+49301>")]),
            (DidPolicy::Off, [None, Some(named)]),
        ] {
            let new = batch(&request, &rules(policy), Vec::new(), Millis(0)).unwrap();
            let caller_ids: Vec<_> = new.calls.iter().map(|call| call.spec.caller_id.as_deref()).collect();
            assert_eq!(caller_ids, expected, "{policy:?}");
            assert!(new.calls.iter().all(|call| call.did.as_deref() == Some("+49301")));
        }
    }
}
