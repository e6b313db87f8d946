//! Clients, grants, servers, and what holds for all clients.

use std::collections::HashSet;

use super::text::{label, plain_if_given};
use crate::api::{At, Error, Violations};
use crate::domain::did::DidPolicy;
use crate::domain::limits;
use crate::domain::number;
use crate::domain::policy::Policy;
use crate::domain::time::Millis;
use crate::pb::{self, ClientLimits, CreateClientRequest, CreateServerRequest, DialPolicy, SetGrantRequest};
use crate::store::clients::NewClient;
use crate::store::secrets::Sealer;
use crate::store::servers::Server;

/// Beginnings of numbers in one list of a client at most.
const MAX_PREFIXES: usize = 1000;
/// Those that the platform denies to all clients.
const MAX_DENIED: usize = 10_000;
/// Trunks of a server that have limits at most.
const MAX_TRUNKS: usize = 1000;
/// Most calls at one time, and most calls begun a second, that any limit may name.
const MAX_CALLS: i32 = 100_000;
const MAX_RATE: f64 = 10_000.0;

/// Where a server's secret comes from.
#[derive(Clone, Copy)]
pub enum Secret<'a> {
    /// As given, to be sealed.
    New(&'a str),
    /// As it is stored: sealed already.
    Kept(&'a [u8]),
}

/// Checks a client as it is to be.
///
/// # Errors
/// Every broken rule.
pub fn client(request: &CreateClientRequest, known_servers: &[Server]) -> Result<NewClient, Error> {
    let mut violations = Violations::default();
    length(&request.name, 255, &At::field("name"), &mut violations);
    length(&request.account_code, 80, &At::field("account_code"), &mut violations);
    let at_servers = At::field("servers");
    for (index, code) in request.servers.iter().enumerate() {
        if known_servers.iter().all(|server| server.code != *code) {
            violations.invalid(&at_servers.index(index), format_args!("there is no server {code}"));
        }
    }
    let limits = request.limits.unwrap_or_default();
    check_limits(&limits, &mut violations);
    let policy = request.policy.clone().unwrap_or_default();
    check_policy(&policy, &mut violations);
    violations.finish()?;
    Ok(NewClient {
        name: request.name.clone(),
        account_code: request.account_code.clone(),
        limits: serde_json::to_string(&domain_limits(&limits)).map_err(Error::internal)?,
        policy: serde_json::to_string(&domain_policy(policy)).map_err(Error::internal)?,
        servers: request.servers.clone(),
    })
}

/// Checks a grant's limits.
///
/// # Errors
/// Every broken rule.
pub fn grant(request: &SetGrantRequest) -> Result<(), Error> {
    let mut violations = Violations::default();
    let root = At::root();
    most_calls(request.max_live_calls, &root.then("max_live_calls"), &mut violations);
    rate(request.calls_per_second, &root.then("calls_per_second"), &mut violations);
    violations.finish()
}

/// Checks what the platform denies to all clients.
///
/// # Errors
/// Every broken rule.
pub fn denied_prefixes(denied: &[String]) -> Result<(), Error> {
    let mut violations = Violations::default();
    prefixes(denied, MAX_DENIED, &At::field("denied_prefixes"), &mut violations);
    violations.finish()
}

fn check_policy(policy: &DialPolicy, violations: &mut Violations) {
    let at = At::field("policy");
    let at_prefixes = at.then("destination_prefixes");
    if let Some(rules) = &policy.destination_prefixes {
        prefixes(&rules.allow, MAX_PREFIXES, &at_prefixes.then("allow"), violations);
        prefixes(&rules.deny, MAX_PREFIXES, &at_prefixes.then("deny"), violations);
    }
    let at_options = at.then("dial_options");
    for (index, option) in policy.dial_options.iter().enumerate() {
        let mut letters = option.chars();
        if !(letters.next().is_some_and(|letter| letter.is_ascii_alphabetic()) && letters.next().is_none()) {
            violations.invalid(&at_options.index(index), "must be one letter");
        }
    }
    for (name, list) in [
        ("technologies", &policy.technologies),
        ("trunks", &policy.trunks),
        ("applications", &policy.applications),
        ("contexts", &policy.contexts),
        ("variables", &policy.variables),
        ("accounts", &policy.accounts),
    ] {
        let at_list = at.then(name);
        for (index, text) in list.iter().enumerate() {
            label(Some(text), &at_list.index(index), violations);
        }
    }
    if policy.did_policy != 0 && pb::DidPolicy::try_from(policy.did_policy).is_err() {
        violations.invalid(&at.then("did_policy"), "must be fill, force or off");
    }
}

fn prefixes(list: &[String], most: usize, at: &At<'_>, violations: &mut Violations) {
    if list.len() > most {
        violations.invalid(at, format_args!("must hold at most {most}, and holds {}", list.len()));
    }
    for (index, prefix) in list.iter().enumerate() {
        if number::only_digits(prefix).is_none_or(|digits| digits.len() > *number::DIGITS.end()) {
            violations.invalid(&at.index(index), format_args!("must be 1 to {} digits", number::DIGITS.end()));
        }
    }
}

fn most_calls(most: Option<i32>, at: &At<'_>, violations: &mut Violations) {
    if most.is_some_and(|most| !(1..=MAX_CALLS).contains(&most)) {
        violations.invalid(at, format_args!("must be 1 to {MAX_CALLS}"));
    }
}

fn rate(rate: Option<f64>, at: &At<'_>, violations: &mut Violations) {
    if rate.is_some_and(|rate| !(rate > 0.0 && rate <= MAX_RATE)) {
        violations.invalid(at, format_args!("must be above 0 and at most {MAX_RATE}"));
    }
}

fn check_limits(limits: &ClientLimits, violations: &mut Violations) {
    let at = At::field("limits");
    for (name, rate) in
        [("requests_per_second", limits.requests_per_second), ("calls_per_second", limits.calls_per_second)]
    {
        if rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            violations.invalid(&at.then(name), "must be above 0");
        }
    }
    for (name, most) in [
        ("max_live_calls", limits.max_live_calls.map(i64::from)),
        ("max_queued_calls", limits.max_queued_calls),
        ("max_calls_per_destination_per_day", limits.max_calls_per_destination_per_day.map(i64::from)),
    ] {
        if most.is_some_and(|most| most < 1) {
            violations.invalid(&at.then(name), "must be at least 1");
        }
    }
}

/// Limits as the rules take them.
fn domain_limits(limits: &ClientLimits) -> limits::ClientLimits {
    limits::ClientLimits {
        requests_per_second: limits.requests_per_second,
        calls_per_second: limits.calls_per_second,
        max_live_calls: limits.max_live_calls,
        max_queued_calls: limits.max_queued_calls,
        max_calls_per_destination_per_day: limits.max_calls_per_destination_per_day,
    }
}

/// A policy as the rules take it.
fn domain_policy(policy: DialPolicy) -> Policy {
    let did_policy = match policy.did_policy() {
        pb::DidPolicy::Unspecified | pb::DidPolicy::Fill => DidPolicy::Fill,
        pb::DidPolicy::Force => DidPolicy::Force,
        pb::DidPolicy::Off => DidPolicy::Off,
    };
    let prefixes = policy.destination_prefixes.unwrap_or_default();
    Policy {
        technologies: policy.technologies,
        trunks: policy.trunks,
        applications: policy.applications,
        dial_options: policy.dial_options,
        contexts: policy.contexts,
        allow_prefixes: prefixes.allow,
        deny_prefixes: prefixes.deny,
        variables: policy.variables,
        allow_recording_command: policy.allow_recording_command,
        accounts: policy.accounts,
        did_policy,
        ..Policy::default()
    }
}

/// Checks a server as it is to be, and seals its secret.
///
/// # Errors
/// Every broken rule.
pub fn server(
    request: &CreateServerRequest,
    secret: Secret<'_>,
    sealer: &Sealer,
    now: Millis,
) -> Result<Server, Error> {
    let mut violations = Violations::default();
    let at_code = At::field("code");
    length(&request.code, 64, &at_code, &mut violations);
    if !request.code.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        violations.invalid(&at_code, "must be letters, digits, `-`, `_` and `.`");
    }
    length(&request.host, 255, &At::field("host"), &mut violations);
    length(&request.username, 80, &At::field("username"), &mut violations);
    if let Secret::New(secret) = secret {
        length(secret, 255, &At::field("secret"), &mut violations);
    }
    let port = request.port.unwrap_or(if request.tls { 5039 } else { 5038 });
    if !(1..=65_535).contains(&port) {
        violations.invalid(&At::field("port"), "must be 1 to 65535");
    }
    let dial_template = request.dial_template.clone().unwrap_or_else(|| "PJSIP/{number}".to_owned());
    let at_template = At::field("dial_template");
    plain_if_given(Some(&dial_template), &at_template, &mut violations);
    if !dial_template.contains("{number}") || !dial_template.contains('/') {
        violations.invalid(&at_template, "must be like `PJSIP/{number}@endpoint1`");
    }
    most_calls(request.max_channels, &At::field("max_channels"), &mut violations);
    rate(request.calls_per_second, &At::field("calls_per_second"), &mut violations);
    let trunks = trunks(&request.trunks, &mut violations);
    let recording_dirs = recording_dirs(&request.recording_dirs, &mut violations);
    violations.finish()?;
    Ok(Server {
        code: request.code.clone(),
        host: request.host.clone(),
        port,
        username: request.username.clone(),
        secret: match secret {
            Secret::New(secret) => sealer.seal(&secret.into())?,
            Secret::Kept(sealed) => sealed.to_vec(),
        },
        tls: request.tls,
        dial_template,
        max_channels: request.max_channels.unwrap_or(100),
        calls_per_second: request.calls_per_second.unwrap_or(20.0),
        recording_dirs: serde_json::to_string(&recording_dirs).map_err(Error::internal)?,
        created_at: now.0,
        updated_at: now.0,
        trunks: serde_json::to_string(&trunks).map_err(Error::internal)?,
    })
}

fn trunks(trunks: &[pb::TrunkLimits], violations: &mut Violations) -> Vec<limits::TrunkLimits> {
    let at = At::field("trunks");
    if trunks.len() > MAX_TRUNKS {
        violations.invalid(&at, format_args!("must hold at most {MAX_TRUNKS}, and holds {}", trunks.len()));
    }
    let mut named = HashSet::new();
    for (index, trunk) in trunks.iter().enumerate() {
        let at = at.index(index);
        length(&trunk.trunk, 255, &at.then("trunk"), violations);
        if !named.insert(trunk.trunk.as_str()) {
            violations.invalid(&at.then("trunk"), format_args!("{} is listed twice", trunk.trunk));
        }
        most_calls(trunk.max_channels, &at.then("max_channels"), violations);
        rate(trunk.calls_per_second, &at.then("calls_per_second"), violations);
    }
    let mut trunks: Vec<_> = trunks
        .iter()
        .map(|limits| limits::TrunkLimits {
            trunk: limits.trunk.clone(),
            max_channels: limits.max_channels,
            calls_per_second: limits.calls_per_second,
        })
        .collect();
    trunks.sort_by(|one, other| one.trunk.cmp(&other.trunk));
    trunks
}

fn recording_dirs(dirs: &[String], violations: &mut Violations) -> Vec<String> {
    let at = At::field("recording_dirs");
    for (index, dir) in dirs.iter().enumerate() {
        plain_if_given(Some(dir), &at.index(index), violations);
        if !dir.starts_with('/') || dir.split('/').any(|part| part == "..") {
            violations.invalid(&at.index(index), "must be an absolute path without `..`");
        }
    }
    if dirs.is_empty() { vec!["/var/spool/asterisk/monitor".to_owned()] } else { dirs.to_vec() }
}

fn length(text: &str, most: usize, at: &At<'_>, violations: &mut Violations) {
    if text.is_empty() {
        violations.required(at);
    } else if text.chars().count() > most {
        violations.invalid(at, format_args!("has more than {most} characters"));
    }
    plain_if_given(Some(text).filter(|text| !text.is_empty()), at, violations);
}
