//! From stored rows to the API's messages.

use crate::api::Error;
use crate::domain::cause;
use crate::domain::status::CallStatus;
use crate::pb;
use crate::store::calls::{Attempt, Call};
use crate::store::clients::Client;
use crate::store::events::Event;
use crate::store::keys::Key;
use crate::store::queues::Queue;
use crate::store::servers::ServerState;

/// A stored time.
pub fn time(millis: i64) -> Option<pb::Timestamp> {
    jiff::Timestamp::from_millisecond(millis).ok().map(Into::into)
}

pub fn queue(queue: &Queue, batches: Vec<i64>) -> pb::Queue {
    let count = |status| queue.count(status);
    pb::Queue {
        queue_id: queue.id,
        kind: queue.kind.into(),
        queue_status: queue.status.into(),
        retry: queue.retry,
        retry_count: queue.retry_count,
        retry_gap: queue.retry_gap,
        created_at: time(queue.created_at),
        updated_at: time(queue.updated_at),
        total_calls: queue.total_calls,
        batches,
        counts: Some(pb::CallCounts {
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
        }),
    }
}

pub fn call(call: Call) -> Result<pb::Call, Error> {
    let plan = call.plan()?;
    let cause = call.hangup_cause.and_then(|cause| u8::try_from(cause).ok());
    let seconds = |from: i64, to: i64| i32::try_from((to - from).max(0) / 1000).unwrap_or(i32::MAX);
    Ok(pb::Call {
        call_id: call.id.0.to_string(),
        queue_id: call.queue_id,
        batch_id: call.batch_id,
        asterisk_server_code: call.server_code,
        status: call.status.into(),
        outcome: call.outcome.map(Into::into),
        attempts: call.attempts,
        channel: plan.channel,
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
        recording_path: plan.recording.map(|recording| recording.path),
        attempt_history: Vec::new(),
        timeline: Vec::new(),
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

pub fn event(event: &Event) -> pb::CallEvent {
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
        detail: event.detail.clone(),
        count: event.count,
        batch_id: event.batch_id,
    }
}

pub fn client(client: Client, servers: Vec<String>) -> Result<pb::Client, Error> {
    let policy: crate::domain::policy::Policy = serde_json::from_str(&client.policy).map_err(Error::internal)?;
    Ok(pb::Client {
        client_id: client.id,
        name: client.name,
        account_code: client.account_code,
        disabled: client.disabled,
        servers,
        limits: Some(serde_json::from_str(&client.limits).map_err(Error::internal)?),
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
        }),
        created_at: time(client.created_at),
        updated_at: time(client.updated_at),
        api_key: None,
    })
}

pub fn key(key: Key) -> pb::Key {
    pb::Key {
        key_id: key.id,
        client_id: key.client_id,
        created_at: time(key.created_at),
        expires_at: key.expires_at.and_then(time),
        revoked_at: key.revoked_at.and_then(time),
        last_used_at: key.last_used_at.and_then(time),
        api_key: None,
    }
}

pub fn server(state: ServerState) -> Result<pb::Server, Error> {
    let recording_dirs = state.server.recording_dirs()?;
    let (server, lease) = (state.server, state.lease);
    // Without a lease nobody dials through it yet.
    let status = lease.as_ref().map_or(pb::ServerStatus::Connecting.into(), |lease| lease.status.into());
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
        node: lease.as_ref().map(|lease| lease.node.clone()),
        live_calls: i32::try_from(state.live_calls).unwrap_or(i32::MAX),
        asterisk_version: lease.as_ref().and_then(|lease| lease.asterisk_version.clone()),
        last_error: lease.and_then(|lease| lease.last_error),
        created_at: time(server.created_at),
    })
}
