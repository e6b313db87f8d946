//! Clients, keys and servers.

use super::text::plain_if_given;
use crate::api::{At, Error, Violations};
use crate::domain::policy::Policy;
use crate::domain::time::Millis;
use crate::pb::{ClientLimits, CreateClientRequest, CreateServerRequest, DialPolicy};
use crate::store::clients::NewClient;
use crate::store::secrets::Sealer;
use crate::store::servers::Server;

/// Checks a new client.
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
    violations.finish()?;
    Ok(NewClient {
        name: request.name.clone(),
        account_code: request.account_code.clone(),
        limits: serde_json::to_string(&limits).map_err(Error::internal)?,
        policy: serde_json::to_string(&policy(request.policy.clone().unwrap_or_default())).map_err(Error::internal)?,
        servers: request.servers.clone(),
    })
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

/// A policy as the rules take it.
#[must_use]
pub fn policy(policy: DialPolicy) -> Policy {
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
    }
}

/// Checks a new server, and seals its secret.
///
/// # Errors
/// Every broken rule.
pub fn server(request: &CreateServerRequest, sealer: &Sealer, now: Millis) -> Result<Server, Error> {
    let mut violations = Violations::default();
    let at_code = At::field("code");
    length(&request.code, 64, &at_code, &mut violations);
    if !request.code.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        violations.invalid(&at_code, "must be letters, digits, `-`, `_` and `.`");
    }
    length(&request.host, 255, &At::field("host"), &mut violations);
    length(&request.username, 80, &At::field("username"), &mut violations);
    length(&request.secret, 255, &At::field("secret"), &mut violations);
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
    let max_channels = request.max_channels.unwrap_or(100);
    if !(1..=100_000).contains(&max_channels) {
        violations.invalid(&At::field("max_channels"), "must be 1 to 100000");
    }
    let calls_per_second = request.calls_per_second.unwrap_or(20.0);
    if !(calls_per_second > 0.0 && calls_per_second <= 10_000.0) {
        violations.invalid(&At::field("calls_per_second"), "must be above 0 and at most 10000");
    }
    let recording_dirs = recording_dirs(&request.recording_dirs, &mut violations);
    violations.finish()?;
    Ok(Server {
        code: request.code.clone(),
        host: request.host.clone(),
        port,
        username: request.username.clone(),
        secret: sealer.seal(&request.secret.as_str().into()).map_err(Error::internal)?,
        tls: request.tls,
        dial_template,
        max_channels,
        calls_per_second,
        recording_dirs: serde_json::to_string(&recording_dirs).map_err(Error::internal)?,
        created_at: now.0,
        updated_at: now.0,
    })
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
