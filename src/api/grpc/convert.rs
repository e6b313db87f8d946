//! Converts stored rows into the messages of the API.

use crate::api::validate::numbering as numbering_rules;
use crate::api::{Error, rest};
use crate::domain::cause;
use crate::domain::did::DidPolicy;
use crate::domain::event_facts::QueueFacts;
use crate::domain::event_kind;
use crate::domain::limits::TrunkLimits;
use crate::domain::queue_rules::QueueRules;
use crate::domain::retry::RetryRule;
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;
use crate::domain::window::{Window, Windows};
use crate::pb;
use crate::store::admin_keys::AdminKey;
use crate::store::calls::{Attempt, Call};
use crate::store::clients::{Client, Grant};
use crate::store::do_not_call::Entry;
use crate::store::events::Event;
use crate::store::keys::Key;
use crate::store::nodes::Node;
use crate::store::queues::Queue;
use crate::store::servers::ServerState;
use crate::store::{audit, leases};

/// Converts a stored time, in milliseconds since 1970. Returns `None` if no calendar holds it.
pub fn time(millis: i64) -> Option<pb::Timestamp> {
    jiff::Timestamp::from_millisecond(millis).ok().map(Into::into)
}

/// Returns the whole seconds between two times in milliseconds.
pub fn seconds(from: i64, to: i64) -> i32 {
    i32::try_from((to - from).max(0) / 1000).unwrap_or(i32::MAX)
}

/// Converts a queue. `access` is the client that reads it; None for an administrator.
///
/// # Errors
/// Returns an error if the stored labels cannot be read.
pub fn queue(queue: &Queue, batches: Vec<i64>, access: Option<i64>) -> Result<pb::Queue, Error> {
    Ok(pb::Queue {
        queue_id: queue.id,
        kind: queue.kind.into(),
        queue_status: queue.status.into(),
        retry: Some(queue.retry.unwrap_or(true)),
        retry_count: Some(queue.retry_count.unwrap_or(0)),
        retry_gap: queue.retry_gap,
        created_at: time(queue.created_at),
        updated_at: time(queue.updated_at),
        total_calls: queue.total_calls,
        batches,
        counts: Some(call_counts(|status| queue.count(status))),
        client_id: access.is_none().then_some(queue.client_id),
        labels: queue.labels()?,
        name: queue.name.clone(),
        start_at: queue.start_at.and_then(time),
        end_at: queue.end_at.and_then(time),
        deleted_at: queue.deleted_at.and_then(time),
    })
}

/// Returns the numbers of a queue's calls in each status, of which `count` returns one.
fn call_counts(count: impl Fn(CallStatus) -> i64) -> pb::CallCounts {
    pb::CallCounts {
        queued: count(CallStatus::Queued),
        dialing: count(CallStatus::Dialing),
        ringing: count(CallStatus::Ringing),
        answered: count(CallStatus::Answered),
        retrying: count(CallStatus::Retrying),
        completed: count(CallStatus::Completed),
        failed: count(CallStatus::Failed),
        expired: count(CallStatus::Expired),
        canceled: count(CallStatus::Canceled),
        unknown: count(CallStatus::Unknown),
    }
}

/// Converts the rules of a queue, with every default written out.
pub fn queue_rules(rules: &QueueRules) -> pb::QueueRules {
    let delivery = if rules.at_least_once { pb::Delivery::AtLeastOnce } else { pb::Delivery::AtMostOnce };
    pb::QueueRules {
        priority: Some(rules.priority),
        weight: Some(rules.weight),
        max_live_calls: rules.max_live_calls,
        calls_per_second: rules.calls_per_second,
        retry_rules: rules.retry_rules.iter().map(retry_rule).collect(),
        windows: rules.windows.as_ref().map(windows),
        delivery: Some(delivery.into()),
        max_call_seconds: rules.max_call_seconds,
    }
}

fn retry_rule(rule: &RetryRule) -> pb::RetryRule {
    pb::RetryRule {
        outcome: rule.outcome.outcome().code().into(),
        max_retries: rule.max_retries,
        delay: rule.delay,
        backoff: Some(rule.backoff),
        jitter: Some(rule.jitter),
    }
}

fn windows(windows: &Windows) -> pb::CallingWindows {
    let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let window = |window: &Window| pb::CallingWindow {
        days: window.days.iter().map(|&day| day.into()).collect(),
        from: time(window.from),
        to: time(window.to),
    };
    pb::CallingWindows { time_zone: windows.time_zone.clone(), windows: windows.windows.iter().map(window).collect() }
}

/// Converts a call. `access` is the client that reads it; None for an administrator.
pub fn call(call: Call, access: Option<i64>) -> Result<pb::Call, Error> {
    let spec = call.originate_spec()?;
    let cause = call.hangup_cause.and_then(|cause| u8::try_from(cause).ok());
    Ok(pb::Call {
        call_id: call.id.0.to_string(),
        queue_id: call.queue_id,
        batch_id: call.batch_id,
        asterisk_server_code: call.server_code,
        status: call.status.into(),
        outcome: call.outcome.map(Into::into),
        attempts: call.attempts,
        channel: spec.channel,
        contact_number: call.contact_number,
        project: call.project,
        action_id: call.action_id,
        channel_id: call.channel_id,
        did: call.did,
        created_at: time(call.created_at),
        due_at: time(call.due_at),
        deadline: call.deadline.and_then(time),
        started_at: call.started_at.and_then(time),
        answered_at: call.answered_at.and_then(time),
        ended_at: call.ended_at.and_then(time),
        duration: call.started_at.zip(call.ended_at).map(|(from, to)| seconds(from, to)),
        billable_seconds: call.billable_seconds,
        hangup_cause: cause.map(Into::into),
        hangup_cause_text: cause.map(|cause| cause::text(cause).to_owned()),
        time_zone: spec.time_zone,
        recording_path: spec.recording.map(|recording| recording.path),
        attempt_history: Vec::new(),
        timeline: Vec::new(),
        result: None,
        client_id: access.is_none().then_some(call.client_id),
        labels: spec.labels,
    })
}

pub fn attempt(attempt: Attempt) -> pb::Attempt {
    let cause = attempt.hangup_cause.and_then(|cause| u8::try_from(cause).ok());
    pb::Attempt {
        attempt: attempt.number,
        channel_id: attempt.channel_id,
        asterisk_server_code: attempt.server_code,
        started_at: time(attempt.started_at),
        ringing_at: attempt.ringing_at.and_then(time),
        answered_at: attempt.answered_at.and_then(time),
        ended_at: attempt.ended_at.and_then(time),
        outcome: attempt.outcome.map(Into::into),
        hangup_cause: cause.map(Into::into),
        hangup_cause_text: cause.map(|cause| cause::text(cause).to_owned()),
    }
}

/// Returns an event as the JSON that webhooks post, which is the same as in a client's stream over REST.
///
/// # Errors
/// Returns an error if the time of the event is beyond the year 9999.
pub fn event_json(stored: &Event) -> serde_json::Result<String> {
    rest::message(&event(stored, false))
}

/// Converts an event. Only an administrator is shown what Asterisk said.
pub fn event(event: &Event, is_admin: bool) -> pb::CallEvent {
    let detail = event.detail.as_deref();
    let detail = if is_admin { detail } else { detail.map(|detail| event_kind::for_client(event.kind, detail)) };
    let facts = event.facts.as_ref().map(|facts| &*facts.0);
    let queue = facts.and_then(|facts| facts.queue.as_deref());
    let count = |queue: &QueueFacts, status: CallStatus| {
        CallStatus::ALL.iter().zip(queue.counts).find(|(of, _)| **of == status).map_or(0, |(_, count)| count)
    };
    pb::CallEvent {
        seq: event.seq,
        at: time(event.at),
        r#type: event.kind.into(),
        call_id: event.call_id.map(|id| id.0.to_string()),
        queue_id: event.queue_id,
        attempt: event.attempt,
        status: event.status.map(Into::into),
        outcome: event.outcome.map(Into::into),
        hangup_cause: event.hangup_cause.map(Into::into),
        detail: detail.map(str::to_owned),
        count: event.count,
        batch_id: event.batch_id,
        client_id: is_admin.then_some(event.client_id),
        asterisk_server_code: event.server_code.clone(),
        contact_number: facts.and_then(|facts| facts.contact_number),
        channel: facts.and_then(|facts| facts.channel.clone()),
        labels: facts.map(|facts| facts.labels.clone()).unwrap_or_default(),
        duration: facts.and_then(|facts| facts.duration),
        billable_seconds: facts.and_then(|facts| facts.billable_seconds),
        queue_status: queue.map(|queue| queue.status.into()),
        counts: queue.map(|queue| call_counts(|status| count(queue, status))),
    }
}

pub fn client(client: Client, servers: Vec<String>) -> Result<pb::Client, Error> {
    let policy: crate::domain::policy::Policy = serde_json::from_str(&client.policy).map_err(Error::internal)?;
    let limits: crate::domain::limits::ClientLimits = serde_json::from_str(&client.limits).map_err(Error::internal)?;
    Ok(pb::Client {
        client_id: client.id,
        name: client.name,
        account_code: client.account_code,
        disabled: client.disabled,
        servers,
        limits: Some(pb::ClientLimits {
            requests_per_second: limits.requests_per_second,
            calls_per_second: limits.calls_per_second,
            max_live_calls: limits.max_live_calls,
            max_queued_calls: limits.max_queued_calls,
            max_calls_per_destination_per_day: limits.max_calls_per_destination_per_day,
            max_call_seconds: limits.max_call_seconds,
            max_calls_per_day: limits.max_calls_per_day,
            max_minutes_per_day: limits.max_minutes_per_day,
            brake_new_destination_calls: limits.brake_new_destination_calls,
        }),
        policy: Some(pb::DialPolicy {
            technologies: policy.technologies,
            trunks: policy.trunks,
            applications: policy.applications,
            dial_options: policy.dial_options,
            contexts: policy.contexts,
            destination_prefixes: Some(pb::PrefixRules { allow: policy.allow_prefixes, deny: policy.deny_prefixes }),
            variables: policy.variables,
            allow_recording_command: policy.allow_recording_command,
            accounts: policy.accounts,
            max_legs: policy.max_legs.and_then(|legs| legs.try_into().ok()),
            queues: policy.queues,
            conferences: policy.conferences,
            conference_profiles: policy.conference_profiles,
            recording_dirs: policy.recording_dirs,
            did_policy: match policy.did_policy {
                DidPolicy::Fill => pb::DidPolicy::Fill,
                DidPolicy::Force => pb::DidPolicy::Force,
                DidPolicy::Off => pb::DidPolicy::Off,
            }
            .into(),
        }),
        created_at: time(client.created_at),
        updated_at: time(client.updated_at),
        api_key: None,
    })
}

pub fn key(key: Key) -> Result<pb::Key, Error> {
    Ok(pb::Key {
        key_id: key.id,
        client_id: key.client_id,
        created_at: time(key.created_at),
        expires_at: key.expires_at.and_then(time),
        revoked_at: key.revoked_at.and_then(time),
        last_used_at: key.last_used_at.and_then(time),
        api_key: None,
        warnings: Vec::new(),
        scope: key.scope.into(),
        networks: serde_json::from_str(&key.networks).map_err(Error::internal)?,
    })
}

pub fn admin_key(key: AdminKey) -> Result<pb::AdminKey, Error> {
    Ok(pb::AdminKey {
        key_id: key.id,
        name: key.name,
        created_at: time(key.created_at),
        expires_at: key.expires_at.and_then(time),
        revoked_at: key.revoked_at.and_then(time),
        last_used_at: key.last_used_at.and_then(time),
        api_key: None,
        warnings: Vec::new(),
        scope: pb::Scope::Admin.into(),
        networks: serde_json::from_str(&key.networks).map_err(Error::internal)?,
    })
}

/// Converts a server, with its status at the time `now`.
pub fn server(state: ServerState, now: Millis) -> Result<pb::Server, Error> {
    let recording_dirs = state.server.recording_dirs()?;
    let trunks = state.server.trunks()?.into_iter().map(trunk).collect();
    let numbering = state.server.numbering()?;
    let (server, lease) = (state.server, state.lease);
    let owned = lease.as_ref().filter(|lease| lease.expires_at > now.0);
    let status = match (owned, &lease) {
        _ if state.draining => pb::ServerStatus::Draining.into(),
        (Some(owned), _) => owned.status.into(),
        // The lease has expired: the node that held it no longer reports the status.
        (None, Some(_)) => pb::ServerStatus::Offline.into(),
        // No node has taken the server yet.
        (None, None) => pb::ServerStatus::Connecting.into(),
    };
    Ok(pb::Server {
        code: server.code,
        host: server.host,
        port: server.port,
        username: server.username,
        tls: server.tls,
        dial_template: server.dial_template,
        max_channels: server.max_channels,
        calls_per_second: server.calls_per_second,
        recording_dirs,
        status,
        node: owned.map(|lease| lease.node.clone()),
        live_calls: i32::try_from(state.live_calls).unwrap_or(i32::MAX),
        asterisk_version: lease.as_ref().and_then(|lease| lease.asterisk_version.clone()),
        last_error: lease.and_then(|lease| lease.last_error),
        created_at: time(server.created_at),
        trunks,
        international_prefixes: numbering.international().map(str::to_owned).collect(),
        dial_format: numbering_rules::dial_format(numbering.dial_format).into(),
        country_code: numbering.country_code,
        national_prefix: numbering.national_prefix,
        service_codes: numbering.service_codes,
        max_call_seconds: server.max_call_seconds,
    })
}

fn trunk(limits: TrunkLimits) -> pb::TrunkLimits {
    let TrunkLimits { trunk, max_channels, calls_per_second } = limits;
    pb::TrunkLimits { trunk, max_channels, calls_per_second }
}

pub fn grant(grant: Grant) -> Result<pb::Grant, Error> {
    let extensions = grant.extensions()?.into_iter().map(String::from).collect();
    Ok(pb::Grant {
        client_id: grant.client_id,
        asterisk_server_code: grant.server_code,
        max_live_calls: grant.max_live_calls,
        calls_per_second: grant.calls_per_second,
        extensions,
    })
}

pub fn node(node: Node, servers: Vec<String>, now: Millis) -> pb::Node {
    pb::Node {
        name: node.name,
        version: node.version,
        started_at: time(node.started_at),
        seen_at: time(node.seen_at),
        alive: Millis(node.seen_at).plus(leases::TTL) > now,
        draining: node.draining,
        servers,
    }
}

pub fn audit_entry(entry: audit::Entry) -> pb::AuditEntry {
    pb::AuditEntry {
        audit_id: entry.id,
        at: time(entry.at),
        actor: entry.actor,
        action: entry.action,
        target: entry.target,
        remote_address: entry.remote_address,
        request_id: entry.request_id,
        detail: entry.detail,
        seq: entry.seq,
        before: entry.before,
        after: entry.after,
        previous_hash: entry.previous_hash,
        hash: entry.hash,
    }
}

pub fn do_not_call(entry: Entry) -> pb::DoNotCallEntry {
    pb::DoNotCallEntry { number: entry.number, reason: entry.reason, added_at: time(entry.added_at) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::status::ServerStatus;
    use crate::store::leases::Lease;
    use crate::store::servers::Server;

    const NOW: Millis = Millis(1_700_000_000_000);

    fn state(lease: Option<Lease>) -> ServerState {
        let server = Server {
            code: "server1".into(),
            host: "127.0.0.1".into(),
            port: 5038,
            username: "dialer".into(),
            secret: Vec::new(),
            tls: false,
            dial_template: "PJSIP/{number}".into(),
            max_channels: 10,
            calls_per_second: 2.5,
            recording_dirs: "[]".into(),
            created_at: NOW.0,
            updated_at: NOW.0,
            trunks: "[]".into(),
            numbering: "{}".into(),
            max_call_seconds: None,
        };
        ServerState { server, lease, draining: false, live_calls: 0 }
    }

    fn lease(expires_at: i64) -> Lease {
        Lease {
            server_code: "server1".into(),
            node: "a".into(),
            epoch: 1,
            committed: 0,
            expires_at,
            status: ServerStatus::Online.code(),
            asterisk_version: None,
            last_error: None,
        }
    }

    #[test]
    fn a_server_whose_owner_is_gone_is_offline() {
        let shown = |lease| {
            let shown = server(state(lease), NOW).unwrap();
            (shown.status, shown.node)
        };
        let status = |status: pb::ServerStatus| status.into();
        assert_eq!(shown(Some(lease(NOW.0 + 1))), (status(pb::ServerStatus::Online), Some("a".to_owned())));
        assert_eq!(shown(Some(lease(NOW.0))), (status(pb::ServerStatus::Offline), None));
        assert_eq!(shown(None), (status(pb::ServerStatus::Connecting), None));
    }
}
