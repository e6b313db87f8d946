//! Clients and servers: what depends on several fields, on what is stored, or on Asterisk.

use std::collections::HashSet;

use super::dial_policy;
use super::numbering::numbering;
use crate::api::{At, Error, Violations};
use crate::domain::did::DidPolicy;
use crate::domain::limits;
use crate::domain::policy::Policy;
use crate::domain::time::Millis;
use crate::pb::{self, ClientLimits, CreateClientRequest, CreateServerRequest, DialPolicy};
use crate::store::clients::NewClient;
use crate::store::secrets::{Place, Sealer};
use crate::store::servers::Server;

/// The secret of a server that is stored.
#[derive(Clone, Copy)]
pub enum Secret<'a> {
    /// A new secret, which is sealed before it is stored.
    New(&'a str),
    /// The secret that is stored, which is sealed already.
    Kept(&'a [u8]),
}

/// Checks a client in the state that it is to have. `violations` are those of the request's fields.
///
/// # Errors
/// Returns every broken rule.
pub fn client(
    request: &CreateClientRequest,
    known_servers: &[Server],
    mut violations: Violations,
) -> Result<NewClient, Error> {
    let at_servers = At::field("servers");
    for (index, code) in request.servers.iter().enumerate() {
        if known_servers.iter().all(|server| server.code != *code) {
            violations.invalid_if_new(&at_servers.index(index), format_args!("there is no server {code}"));
        }
    }
    let policy = request.policy.clone().unwrap_or_default();
    dial_policy::check(&policy, &mut violations);
    violations.finish()?;
    Ok(NewClient {
        name: request.name.clone(),
        account_code: request.account_code.clone(),
        limits: serde_json::to_string(&domain_limits(&request.limits.unwrap_or_default())).map_err(Error::internal)?,
        policy: serde_json::to_string(&domain_policy(policy)).map_err(Error::internal)?,
        servers: request.servers.clone(),
    })
}

/// Converts limits to the form that is stored.
fn domain_limits(limits: &ClientLimits) -> limits::ClientLimits {
    limits::ClientLimits {
        requests_per_second: limits.requests_per_second,
        calls_per_second: limits.calls_per_second,
        max_live_calls: limits.max_live_calls,
        max_queued_calls: limits.max_queued_calls,
        max_calls_per_destination_per_day: limits.max_calls_per_destination_per_day,
        max_call_seconds: limits.max_call_seconds,
        max_calls_per_day: limits.max_calls_per_day,
        max_minutes_per_day: limits.max_minutes_per_day,
        brake_new_destination_calls: limits.brake_new_destination_calls,
    }
}

/// Converts a policy to the form that is stored.
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
        max_legs: policy.max_legs.and_then(|legs| legs.try_into().ok()),
        queues: policy.queues,
        conferences: policy.conferences,
        conference_profiles: policy.conference_profiles,
        recording_dirs: policy.recording_dirs,
        did_policy,
        ..Policy::default()
    }
}

/// Checks a server in the state that it is to have, and seals its secret. `violations` are those of the request's fields.
///
/// # Errors
/// Returns every broken rule.
pub fn server(
    request: &CreateServerRequest,
    secret: Secret<'_>,
    sealer: &Sealer,
    now: Millis,
    mut violations: Violations,
) -> Result<Server, Error> {
    let dial_template = request.dial_template.clone().unwrap_or_else(|| "PJSIP/{number}".to_owned());
    if !dial_template.contains("{number}") || !dial_template.contains('/') {
        violations.invalid_if_new(&At::field("dial_template"), "must be like `PJSIP/{number}@endpoint1`");
    }
    let trunks = trunks(&request.trunks, &mut violations);
    let recording_dirs = recording_dirs(&request.recording_dirs, &mut violations);
    let numbering = numbering(request, &mut violations);
    violations.finish()?;
    Ok(Server {
        code: request.code.clone(),
        host: request.host.clone(),
        port: request.port.unwrap_or(if request.tls { 5039 } else { 5038 }),
        username: request.username.clone(),
        secret: match secret {
            Secret::New(secret) => sealer.seal(&secret.into(), &Place::Server(request.code.clone()))?,
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
        numbering: serde_json::to_string(&numbering).map_err(Error::internal)?,
        max_call_seconds: request.max_call_seconds,
    })
}

fn trunks(trunks: &[pb::TrunkLimits], violations: &mut Violations) -> Vec<limits::TrunkLimits> {
    let at = At::field("trunks");
    let mut named = HashSet::new();
    for (index, trunk) in trunks.iter().enumerate() {
        if !named.insert(trunk.trunk.as_str()) {
            violations.invalid_if_new(&at.index(index).then("trunk"), format_args!("{} is listed twice", trunk.trunk));
        }
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
        if !dir.starts_with('/') || dir.split('/').any(|part| part == "..") {
            violations.invalid_if_new(&at.index(index), "must be an absolute path without `..`");
        }
    }
    if dirs.is_empty() { vec!["/var/spool/asterisk/monitor".to_owned()] } else { dirs.to_vec() }
}
