//! Checks a quick call and makes what is stored of it.

use std::collections::HashSet;

use super::Rules;
use super::batch::{content, server};
use super::originate::{Derived, ItemContext, RecordingFields, given, recording, spec};
use super::text::{fits, fits_variable};
use crate::api::{At, Error, Violations, fields};
use crate::domain::ids::CallId;
use crate::domain::number;
use crate::domain::status::CallStatus;
use crate::pb::{CreateQuickCallRequest, OriginateAction};
use crate::store::batches::NewQuickCall;
use crate::store::calls::NewCall;

/// The most characters of an Idempotency-Key.
pub const MAX_KEY: usize = 255;

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
) -> Result<NewQuickCall, Error> {
    let mut violations = fields::violations(request);
    let call = call(request, rules, &mut violations);
    if idempotency_key.as_ref().is_some_and(|key| key.is_empty() || key.chars().count() > MAX_KEY) {
        violations.invalid(&At::field("Idempotency-Key"), format_args!("must have 1 to {MAX_KEY} characters"));
    }
    violations.finish()?;
    // Without a violation there is a call.
    let call = call.ok_or_else(|| Error::internal("a quick call without a spec"))?;
    let idempotency = idempotency_key.map(|key| (key, content(request)));
    Ok(NewQuickCall { client_id: rules.client.id, call, idempotency })
}

/// Returns the numbers that a quick call would reach, as digits, each with the path of the field that names it.
#[must_use]
pub fn called(request: &CreateQuickCallRequest, new: &NewQuickCall) -> Vec<(&'static str, String)> {
    let action = request.action.as_ref();
    let first = match action.and_then(|action| given(action.channel.as_deref())) {
        Some(channel) => ("action.Channel", number::called(channel)),
        None => ("number1", request.number1.as_deref().and_then(number::digits)),
    };
    let (spec, has_data) = (&new.call.spec, action.is_some_and(|action| given(action.data.as_deref()).is_some()));
    let second = match (spec.dials(), has_data) {
        // With `Data`, the second number is not called.
        (true, true) => ("action.Data", spec.second_leg()),
        (true, false) => ("number2", request.number2.as_deref().and_then(number::digits).into_iter().collect()),
        (false, _) => ("action.Exten", spec.second_leg()),
    };
    let first = first.1.map(|number| (first.0, number));
    first.into_iter().chain(second.1.into_iter().map(|number| (second.0, number))).collect()
}

/// Refuses a quick call that would reach a listed number.
///
/// # Errors
/// Returns [`Error::PermissionDenied`] with each field that names a listed number.
pub fn refuse_listed(called: &[(&'static str, String)], listed: &HashSet<String>) -> Result<(), Error> {
    let mut violations = Violations::default();
    for (field, number) in called.iter().filter(|(_, number)| listed.contains(number)) {
        violations.denied(&At::field(field), format_args!("{number} is on the do-not-call list"));
    }
    violations.finish()
}

fn call(request: &CreateQuickCallRequest, rules: &Rules, violations: &mut Violations) -> Option<NewCall> {
    let root = At::root();
    fits_variable("__DID", request.did.as_deref(), &root.then("did"), violations);
    let server = server(&request.asterisk_server_code, rules, &root, violations);
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
    // A number or a server that is missing is noted; with a substitute for it, the rest is checked too.
    let template = server.map_or("PJSIP/{number}", |server| server.dial_template.as_str());
    let dialed = |number: &Option<String>| template.replace("{number}", number.as_deref().unwrap_or_default());
    let second = dials || given(request.number2.as_deref()).is_some();
    let context = ItemContext {
        at: root,
        channel: Some(Derived { field: "number1", text: dialed(&request.number1) }),
        data: second
            .then(|| Derived { field: "number2", text: format!("{},{SECOND_LEG_SECONDS}", dialed(&request.number2)) }),
        caller_id: Some(caller_id(request, action, violations)),
        recording,
        time_zone: None,
        retry_rules: Vec::new(),
    };
    let spec = spec(action, context, rules, server, violations)?;
    Some(NewCall {
        id,
        server_code: request.asterisk_server_code.clone(),
        status: CallStatus::Queued,
        spec,
        max_retries: 0,
        contact_number: None,
        project: None,
        action_id: action.action_id.clone(),
        did: request.did.clone(),
        deadline: None,
    })
}

/// Returns the action's caller id, else `"Name" <did>`, as Asterisk parses it (`ast_callerid_parse`).
fn caller_id(request: &CreateQuickCallRequest, action: &OriginateAction, violations: &mut Violations) -> String {
    if let Some(own) = given(action.caller_id.as_deref()) {
        return own.to_owned();
    }
    let name: String = request.customer_name.chars().filter(|c| !matches!(c, '"' | '<' | '>')).collect();
    let did = request.did.as_deref().unwrap_or_default();
    let made = format!("\"{name}\" <{did}>");
    if !violations.has(&At::field("customer_name")) {
        fits(&made, &At::field("did"), violations);
    }
    made
}
