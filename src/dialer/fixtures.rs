//! Calls and queues for the tests of the dialer.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::feed::{Due, Feed, Runnable};
use super::limiter::Limits;
use super::ready::{Ready, details};
use crate::domain::commit::Checks;
use crate::domain::dial::dial_string;
use crate::domain::dial::legs::Legs;
use crate::domain::originate::{OriginateSpec, Target};
use crate::domain::status::{CallStatus, QueueKind, QueueStatus};
use crate::store::calls::Call;
use crate::store::queues::Queue;
use crate::store::types::Id;

/// The client that the calls belong to.
pub const CLIENT: i64 = 1;

/// Makes a call of a queue that dials `channel`.
pub fn ready(queue_id: i64, channel: &str) -> Ready {
    let call = Call {
        id: Id(uuid::Uuid::now_v7()),
        client_id: CLIENT,
        queue_id,
        position: 1,
        batch_id: None,
        server_code: "server1".into(),
        status: CallStatus::Queued.code(),
        outcome: None,
        attempts: 0,
        max_retries: 0,
        spec: String::new(),
        contact_number: None,
        project: None,
        action_id: None,
        channel_id: None,
        did: None,
        created_at: 0,
        due_at: 0,
        deadline: None,
        started_at: None,
        answered_at: None,
        ended_at: None,
        billable_seconds: None,
        hangup_cause: None,
        tally: 0,
    };
    let spec = OriginateSpec::new(channel.into(), Target::Application { name: "Wait".into(), data: "1".into() });
    let trunk = dial_string::trunk(channel).map(Arc::from);
    let (from, checks, details) = (CallStatus::Queued, Checks::default(), details(&call, &spec));
    Ready { call, spec, details, from, trunk, legs: Legs::ONE, rings: Vec::new(), checks, generation: 1 }
}

/// Makes this number of such calls.
pub fn calls(queue_id: i64, channel: &str, count: usize) -> Vec<Ready> {
    (0..count).map(|_| ready(queue_id, channel)).collect()
}

/// Makes a queue without limits.
pub fn queue(id: i64) -> Runnable {
    let queue = Queue {
        id,
        client_id: CLIENT,
        kind: QueueKind::Bulk.code(),
        status: QueueStatus::InProgress.code(),
        completed_by_client: false,
        retry: None,
        retry_count: None,
        retry_gap: 300,
        total_calls: 0,
        queued: 0,
        dialing: 0,
        ringing: 0,
        answered: 0,
        retrying: 0,
        completed: 0,
        failed: 0,
        expired: 0,
        canceled: 0,
        unknown: 0,
        created_at: 0,
        updated_at: 0,
        retry_rules: "[]".into(),
        at_least_once: false,
        max_call_seconds: None,
        labels: "{}".to_owned(),
        name: None,
        start_at: None,
        end_at: None,
        canceled_at: None,
        deleted_at: None,
    };
    let closed = BTreeMap::new();
    Runnable { queue, priority: 5, weight: 1, limits: Limits::default(), closed, some_open: true }
}

/// Makes a feed of these queues, each with these calls.
pub fn feed(queues: Vec<(Runnable, Vec<Ready>)>) -> Feed {
    let mut feed = Feed { buffer: 512, grants: [(CLIENT, (Limits::default(), 1))].into(), ..Feed::default() };
    for (runnable, calls) in queues {
        feed.due.push(Due { queue_id: runnable.queue.id, calls, more: false });
        feed.runnable.push(runnable);
    }
    feed
}
