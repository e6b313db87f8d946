//! The Originate action of a request.

use std::collections::BTreeMap;

use super::contact::Contact;
use super::labels;
use super::text::{fits, fits_variable};
use super::{Rules, ServerRules};
use crate::ami::{InvalidValue, Variable};
use crate::api::{At, Violations};
use crate::domain::dial::fault::Fault;
use crate::domain::dial::legs::{LegLimits, Legs};
use crate::domain::ids::CallId;
use crate::domain::labels::Labels;
use crate::domain::number::Reached;
use crate::domain::originate::{DEFAULT_TIMEOUT_MS, OriginateSpec, Recording, Target};
use crate::domain::recording;
use crate::domain::retry::RetryRule;
use crate::domain::variables;
use crate::pb::OriginateAction;

/// A text that is made from another field of the request than the action's own.
pub struct Derived {
    /// The field from which the text is made; if the text is wrong, the violation names this field.
    pub field: &'static str,
    /// The text as it goes into the [`OriginateSpec`].
    pub text: String,
}

/// The parts of an [`OriginateSpec`] that are not in the `action` of a request.
pub struct ItemContext<'a> {
    /// The place in the request of the message that holds the action.
    pub at: At<'a>,
    /// The channel to dial if `action.Channel` is absent.
    pub channel: Option<Derived>,
    /// The application's arguments if `action.Data` is absent.
    pub data: Option<Derived>,
    /// The caller id, in which `action.CallerID` is already considered.
    pub caller_id: Option<String>,
    /// The recording of the call; None if it is not recorded.
    pub recording: Option<Recording>,
    /// The time zone of the person called.
    pub time_zone: Option<String>,
    /// The item's own retry rules.
    pub retry_rules: Vec<RetryRule>,
    /// The number of the person called.
    pub contact: Contact,
    /// The client's own labels of the call.
    pub labels: Labels,
    /// Channel variables beside the action, which those of the action override.
    pub variables: Option<&'a BTreeMap<String, String>>,
}

impl<'a> ItemContext<'a> {
    /// Makes the parts of a call of which nothing is known but its place in the request.
    pub fn of(at: At<'a>) -> Self {
        Self {
            at,
            channel: None,
            data: None,
            caller_id: None,
            recording: None,
            time_zone: None,
            retry_rules: Vec::new(),
            contact: Contact::default(),
            labels: Labels::new(),
            variables: None,
        }
    }
}

/// Checks an action whose fields have been checked each by itself, and makes the spec of its call, with the numbers that
/// the call would reach. None if something is wrong, which is noted.
pub fn spec(
    action: &OriginateAction,
    context: ItemContext<'_>,
    rules: &Rules,
    server: Option<&ServerRules>,
    violations: &mut Violations,
) -> Option<(OriginateSpec, Vec<Reached>)> {
    let root = context.at;
    let at = root.then("action");
    let at_id = at.then("ActionID");
    fits_variable("__TRUNKLINE_ACTION_ID", action.action_id.as_deref(), &at_id, violations);
    let timeout_ms = action.timeout.and_then(|timeout| u32::try_from(timeout).ok()).unwrap_or(DEFAULT_TIMEOUT_MS);
    let variables = variables(action, context.variables, (&root, &at), violations);
    labels::check(&context.labels, &root.then("labels"), violations);
    if let Some(error) = variables::too_many(variables.len() + context.labels.len()) {
        violations.invalid_if_new(&root.then("labels"), format_args!("together with its labels, the call {error}"));
    }
    let (at_data, data) = own_or_made(action.data.as_deref(), context.data, (&root, &at), "Data", violations);
    let target = target(action, data, &at, violations);
    let account = given(action.account.as_deref()).unwrap_or(&rules.client.account_code).to_owned();
    let (at_channel, channel) =
        own_or_made(action.channel.as_deref(), context.channel, (&root, &at), "Channel", violations);
    let Some(channel) = channel else {
        violations.required(&at_channel);
        return None;
    };
    let spec = OriginateSpec {
        channel,
        target: target?,
        caller_id: context.caller_id,
        account: Some(account),
        timeout_ms,
        early_media: action.early_media.unwrap_or(false),
        codecs: action.codecs.clone(),
        channel_id: action.channel_id.clone(),
        other_channel_id: action.other_channel_id.clone(),
        variables,
        recording: context.recording,
        time_zone: context.time_zone,
        retry_rules: context.retry_rules,
        contact: context.contact.written,
        labels: context.labels,
    };
    let unknown = ServerRules::default();
    let terms = server.unwrap_or(&unknown).terms(&rules.client.account_code);
    let (reaches, denied) = match rules.policy.admit(&spec, terms) {
        Ok(dialed) => {
            let contact = spec.contact(context.contact.number);
            (dialed.reaches(contact.as_ref(), terms.reading.numbering), Vec::new())
        }
        Err(denied) => (Vec::new(), denied),
    };
    let (client, queue) = (rules.limits.limits(), rules.queue);
    let limits = server.map(|server| {
        let ServerRules { limits, trunks, grant, .. } = server;
        LegLimits { server: *limits, trunks, grant: *grant, client, queue }
    });
    if let Some(why) = limits.and_then(|limits| Legs::of(&spec).exceeded(&limits)) {
        violations.invalid_if_new(&at_data, why);
    }
    for denied in denied {
        if denied.field == "recording_path" && (server.is_none() || violations.has(&root.then("mix_monitor_command"))) {
            // It is the path of the command, or cannot be judged without its server; both are noted elsewhere.
            continue;
        }
        let in_object =
            denied.variable.as_ref().map_or(!action.variables.is_empty(), |name| action.variables.contains_key(name));
        let at_variables = at.then("variables");
        let beside = |name: &String| context.variables.is_some_and(|beside| beside.contains_key(name));
        let is_beside = !in_object && denied.variable.as_ref().is_some_and(beside);
        let field = match (denied.field, &denied.fault, &denied.variable) {
            ("Channel", ..) => at_channel,
            ("Data", ..) => at_data,
            ("variables", ..) if is_beside => root.then("variables"),
            ("variables", ..) if !in_object => at.then("Variable"),
            ("variables", Fault::Malformed(_), Some(name)) => at_variables.then(name),
            ("CallerID", ..) if given(action.caller_id.as_deref()).is_none() => root.then("caller_id"),
            // These fields are beside the action.
            ("mix_monitor_command" | "recording_path", ..) => root.then(denied.field),
            (field, ..) => at.then(field),
        };
        match denied.fault {
            Fault::Malformed(ref why) => violations.invalid_if_new(&field, why),
            Fault::Denied(ref why) => violations.denied(&field, why),
        }
    }
    Some((spec, reaches))
}

/// Returns a text of the action, else the one derived in its place, and the field that a violation of it names.
fn own_or_made<'a>(
    own: Option<&str>,
    made: Option<Derived>,
    (root, at): (&'a At<'a>, &'a At<'a>),
    name: &'static str,
    violations: &mut Violations,
) -> (At<'a>, Option<String>) {
    match (given(own), made) {
        (None, Some(Derived { field, text })) => {
            let at = root.then(field);
            fits(&text, &at, violations);
            (at, Some(text))
        }
        (own, _) => (at.then(name), own.map(str::to_owned)),
    }
}

/// Merges the variables beside the action, `Variable` and `variables`; of a name that is in several of them, the last one
/// has the value.
fn variables(
    action: &OriginateAction,
    beside: Option<&BTreeMap<String, String>>,
    (root, at): (&At<'_>, &At<'_>),
    violations: &mut Violations,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let at_beside = root.then("variables");
    for (name, value) in beside.into_iter().flatten() {
        variable(name, value, &at_beside.then(name), violations);
        variables.insert(name.clone(), value.clone());
    }
    let at_string = at.then("Variable");
    for pair in action.variable.iter().flat_map(|pairs| pairs.split(',')).filter(|pair| !pair.trim().is_empty()) {
        match pair.split_once('=') {
            Some((name, value)) => {
                variable(name.trim(), value, &at_string, violations);
                variables.insert(name.trim().to_owned(), value.to_owned());
            }
            None => violations.invalid(&at_string, format_args!("`{pair}` must be NAME=value")),
        }
    }
    let at_object = at.then("variables");
    for (name, value) in &action.variables {
        variable(name, value, &at_object.then(name), violations);
        variables.insert(name.clone(), value.clone());
    }
    if let Some(error) = variables::too_many(variables.len()) {
        let at = match (action.variables.is_empty(), action.variable.is_some() || beside.is_none()) {
            (false, _) => &at_object,
            (true, true) => &at_string,
            (true, false) => &at_beside,
        };
        violations.invalid(at, error);
    }
    variables
}

fn variable(name: &str, value: &str, at: &At<'_>, violations: &mut Violations) {
    match Variable::new(name, value) {
        // A value that is too long by itself is refused as such.
        Err(error @ InvalidValue::TooLong(_)) => violations.invalid_if_new(at, error),
        Err(error) => violations.invalid(at, error),
        Ok(_) => {}
    }
    if variables::is_own(name) {
        let bare = name.trim_start_matches('_');
        violations.invalid(at, format_args!("variable {bare} is set by Trunkline, choose another name"));
    }
}

fn target(action: &OriginateAction, data: Option<String>, at: &At<'_>, violations: &mut Violations) -> Option<Target> {
    match (given(action.application.as_deref()), given(action.context.as_deref())) {
        (Some(_), Some(_)) => {
            violations.invalid(&at.then("Context"), "cannot be given together with Application");
            None
        }
        (Some(name), None) => {
            let data = data.unwrap_or_default();
            if data.is_empty() && name.eq_ignore_ascii_case("Dial") {
                violations.invalid(&at.then("Data"), "required with Application \"Dial\"");
            }
            Some(Target::Application { name: name.to_owned(), data })
        }
        (None, Some(context)) => {
            let Some(exten) = given(action.exten.as_deref()) else {
                violations.invalid(&at.then("Exten"), "required with Context");
                return None;
            };
            let priority = given(action.priority.as_deref()).unwrap_or("1");
            let (context, exten, priority) = (context.to_owned(), exten.to_owned(), priority.to_owned());
            Some(Target::Extension { context, exten, priority })
        }
        (None, None) => {
            violations.invalid(&at.then("Application"), "required, unless Context and Exten are given");
            None
        }
    }
}

/// The fields of a request that describe a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordingFields<'a> {
    /// The field `recording_path` of the item.
    pub path: Option<&'a str>,
    /// The field `mix_monitor_command` of the item.
    pub command: Option<&'a str>,
}

/// Checks the fields of a recording, and returns where the call is recorded. None if something is wrong, which is noted.
pub fn recording(
    fields: RecordingFields<'_>,
    call: CallId,
    server: Option<&ServerRules>,
    at: &At<'_>,
    violations: &mut Violations,
) -> Option<Recording> {
    let (at_command, at_path) = (at.then("mix_monitor_command"), at.then("recording_path"));
    let (file, options, command) = match given(fields.command) {
        None => (None, None, None),
        Some(text) => {
            let Some(arguments) = text.strip_prefix("MixMonitor ") else {
                violations.invalid_if_new(&at_command, "must be `MixMonitor file[,options[,command]]`");
                return None;
            };
            let mut parts = arguments.trim().splitn(3, ',').map(|part| given(Some(part.trim())));
            (parts.next().flatten(), parts.next().flatten(), parts.next().flatten())
        }
    };
    if let Some(file) = file {
        check_path(file, server, &at_command, violations);
    }
    if let Some(error) = options.and_then(|options| recording::check_options(options).err()) {
        violations.invalid(&at_command, error);
    }
    if let Some(path) = given(fields.path) {
        check_path(path, server, &at_path, violations);
    }
    let path = given(fields.path).or(file).map(str::to_owned);
    let path = match path {
        Some(path) => path,
        None => {
            let Some(path) = recording::default_path(call, &server?.recording_dirs) else {
                violations.invalid(&at_path, "required: the server has no recording directory");
                return None;
            };
            fits(&path, &at_path, violations);
            path
        }
    };
    Some(Recording { path, options: options.map(str::to_owned), command: command.map(str::to_owned) })
}

/// Checks the path of a recording, unless the server is unknown, which is noted elsewhere.
fn check_path(path: &str, server: Option<&ServerRules>, at: &At<'_>, violations: &mut Violations) {
    let Some(server) = server else { return };
    if let Err(error) = recording::check(path, &server.recording_dirs) {
        violations.invalid_if_new(at, error);
    }
}

/// Treats an empty text as absent.
pub fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
