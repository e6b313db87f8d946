//! Checks a quick call and makes what is stored of it.

use std::collections::HashSet;

use super::batch::{content, server, times};
use super::contact::contact;
use super::do_not_call;
use super::originate::{Derived, ItemContext, RecordingFields, given, recording, spec};
use super::rules::retry_rules;
use super::text::{fits, fits_variable};
use super::{Rules, ServerRules};
use crate::api::{At, Error, Violations, fields};
use crate::domain::ids::CallId;
use crate::domain::number::{CONTACT, read_field};
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;
use crate::pb::{CreateQuickCallRequest, OriginateAction};
use crate::store::batches::NewQuickCall;
use crate::store::calls::NewCall;

/// The most characters of an Idempotency-Key.
pub const MAX_KEY: usize = 255;

/// How long a quick call without a deadline of its own may wait for its first attempt, in milliseconds.
const TIME_TO_LEAVE_MS: i64 = 60_000;

/// How long `number2` rings, in seconds, if `Data` is absent.
const SECOND_LEG_SECONDS: u32 = 30;

/// Checks a quick call, and returns what is stored for it.
///
/// # Errors
/// Returns every broken rule.
pub fn quick_call(
    request: &CreateQuickCallRequest,
    idempotency_key: Option<String>,
    rules: &Rules,
    now: Millis,
) -> Result<NewQuickCall, Error> {
    let mut violations = fields::violations(request);
    let call = call(request, rules, now, &mut violations);
    if idempotency_key.as_ref().is_some_and(|key| key.is_empty() || key.chars().count() > MAX_KEY) {
        violations.invalid(&At::field("Idempotency-Key"), format_args!("must have 1 to {MAX_KEY} characters"));
    }
    violations.finish()?;
    // Without a violation there is a call.
    let call = call.ok_or_else(|| Error::internal("a quick call without a spec"))?;
    let idempotency = idempotency_key.map(|key| (key, content(request)));
    Ok(NewQuickCall { client_id: rules.client.id, call, idempotency })
}

/// Refuses a quick call that would reach a listed number.
///
/// # Errors
/// Returns [`Error::PermissionDenied`] with each field that names a listed number.
pub fn refuse_listed(
    request: &CreateQuickCallRequest,
    new: &NewQuickCall,
    listed: &HashSet<String>,
) -> Result<(), Error> {
    let action = request.action.as_ref();
    let has = |text: Option<&String>| given(text.map(String::as_str)).is_some();
    let has_channel = has(action.and_then(|action| action.channel.as_ref()));
    let has_data = has(action.and_then(|action| action.data.as_ref()));
    let mut violations = Violations::default();
    for (field, number) in do_not_call::among(&new.call.reaches, listed) {
        let field = match field {
            "Channel" if !has_channel => "number1",
            "Channel" => "action.Channel",
            // With `Data`, the second number is not called.
            "Data" if !has_data => "number2",
            "Data" => "action.Data",
            CONTACT => "contact_number",
            _ => "action.Exten",
        };
        violations.denied(&At::field(field), format_args!("{number} is on the do-not-call list"));
    }
    violations.finish()
}

fn call(request: &CreateQuickCallRequest, rules: &Rules, now: Millis, violations: &mut Violations) -> Option<NewCall> {
    let root = At::root();
    let retry_rules = retry_rules(&request.retry_rules, &root.then("retry_rules"), violations);
    let (not_before, own_deadline) = times(request.not_before, request.deadline, &root, violations);
    fits_variable("__DID", request.did.as_deref(), &root.then("did"), violations);
    let server = server(&request.asterisk_server_code, rules, &root, violations);
    // A number or a server that is missing is noted; with a substitute for it, the rest is checked too.
    let template = server.map_or("PJSIP/{number}", |server| server.dial_template.as_str());
    let mut dialed = |field, number: &Option<String>| {
        let number = self::number(number.as_deref(), server, &root.then(field), violations);
        Derived { field, text: template.replace("{number}", &number) }
    };
    let (first, second) = (dialed("number1", &request.number1), dialed("number2", &request.number2));
    let contact = contact(request.contact_number, request.contact_number_text.as_deref(), server, &root, violations);
    let action = request.action.as_ref()?;
    let is_empty = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
    if is_empty(&action.channel) && is_empty(&request.number1) {
        violations.invalid(&root.then("number1"), "required, unless action.Channel is given");
    }
    let dials = action.application.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("Dial"));
    if dials && is_empty(&action.data) && is_empty(&request.number2) {
        violations.invalid(&root.then("number2"), "required, unless action.Data is given");
    }
    let id = CallId::new();
    let recorded = request.create_recording.unwrap_or(true);
    let recording = recorded.then(|| recording(RecordingFields::default(), id, server, &root, violations)).flatten();
    let has_second = dials || given(request.number2.as_deref()).is_some();
    let data = has_second.then(|| Derived { text: format!("{},{SECOND_LEG_SECONDS}", second.text), ..second });
    let contact_number = contact.number;
    let context = ItemContext {
        channel: Some(first),
        data,
        caller_id: Some(caller_id(request, action, violations)),
        recording,
        retry_rules,
        contact,
        labels: request.labels.clone(),
        variables: Some(&request.variables).filter(|variables| !variables.is_empty()),
        ..ItemContext::of(root)
    };
    let (spec, reaches) = spec(action, context, rules, server, violations)?;
    let earliest = not_before.map_or(now, |at| at.max(now));
    let deadline = own_deadline.unwrap_or(Millis(earliest.0.saturating_add(TIME_TO_LEAVE_MS)));
    Some(NewCall {
        id,
        server_code: request.asterisk_server_code.clone(),
        status: if deadline <= now { CallStatus::Expired } else { CallStatus::Queued },
        spec,
        max_retries: request.retry,
        contact_number,
        reaches,
        project: request.project.clone(),
        action_id: action.action_id.clone(),
        did: request.did.clone(),
        deadline: Some(deadline),
        deadline_is_default: own_deadline.is_none(),
        not_before,
    })
}

/// Returns a number of a quick call as it goes into a dial string: without separators, or as it is if it is the name of an
/// endpoint or an extension that the client may dial. What is neither is noted.
fn number(text: Option<&str>, server: Option<&ServerRules>, at: &At<'_>, violations: &mut Violations) -> String {
    let Some(text) = given(text) else { return String::new() };
    let read = read_field(text).and_then(|number| match server {
        Some(server) => server.numbering.check(&number).map(|()| number),
        None => Ok(number),
    });
    match read {
        Ok(number) => return number.to_string(),
        Err(error) if !may_be_other(text, server) => violations.invalid_if_new(at, error),
        Err(_) => {}
    }
    text.to_owned()
}

/// Returns true if a text that is no number may be an extension that the client may dial, or the name of an endpoint. Only
/// a template such as `PJSIP/{number}` dials endpoints.
fn may_be_other(text: &str, server: Option<&ServerRules>) -> bool {
    let is_name = text.starts_with(|first: char| first.is_ascii_alphabetic());
    let Some(server) = server else { return is_name };
    let dials_endpoints = server.dial_template.split_once('/').is_some_and(|(_, resource)| resource == "{number}");
    (dials_endpoints && is_name) || server.extensions.iter().any(|pattern| pattern.matches(text))
}

/// Returns the action's caller id, else `"Name" <did>`, as Asterisk parses it (`ast_callerid_parse`).
fn caller_id(request: &CreateQuickCallRequest, action: &OriginateAction, violations: &mut Violations) -> String {
    if let Some(own) = given(action.caller_id.as_deref()) {
        return own.to_owned();
    }
    let name = request.customer_name.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '<' | '>'));
    let name: String = name.collect();
    let did: String = request.did.as_deref().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    let made = format!("\"{name}\" <{did}>");
    if !violations.has(&At::field("customer_name")) {
        fits(&made, &At::field("did"), violations);
    }
    made
}
