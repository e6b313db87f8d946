//! Reads what was live when a lane was last released, and follows it again.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::dispatch::Dispatch;
use super::ready::{call_ref, details};
use super::tracker::{Live, Tracker};
use crate::domain::attempt::{Attempt, Resumed};
use crate::domain::commit::{CallSettings, Checks, Claim};
use crate::domain::dial::dial_string;
use crate::domain::dial::legs::Legs;
use crate::domain::ids::CallId;
use crate::domain::recording_file::of_attempt;
use crate::domain::retry::Tally;
use crate::domain::status::CallStatus;
use crate::domain::time::{Millis, Now};
use crate::store::calls::{self, Call};
use crate::store::queues::Queue;
use crate::store::{Db, Result, events, lanes};

/// An attempt that has not ended, as far as the store knows.
pub struct Left {
    attempt: calls::Attempt,
    call: Call,
    recording_begun: bool,
}

/// Reads the attempts of a server that have not ended, with their calls and queues. Tries until it succeeds; returns
/// None once `stop` is cancelled.
pub async fn left(db: &Db, server: &str, stop: &CancellationToken) -> Option<(Vec<Left>, Vec<Queue>)> {
    loop {
        match read(db, server).await {
            Ok((left, queues)) => {
                if !left.is_empty() {
                    info!(%server, attempts = left.len(), "attempts were live when the lane was last released");
                }
                return Some((left, queues));
            }
            Err(error) => warn!(%server, %error, "cannot read what was live; trying again"),
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}

async fn read(db: &Db, server: &str) -> Result<(Vec<Left>, Vec<Queue>)> {
    let mut conn = db.read().await?;
    let attempts = lanes::live_attempts(&mut conn, server).await?;
    let (calls, ids): (Vec<CallId>, Vec<i64>) =
        attempts.iter().map(|(_, call)| (CallId::from(call.id), call.queue_id)).unzip();
    let begun = events::recordings_begun(&mut conn, &calls).await?;
    let left = |(attempt, call): (calls::Attempt, Call)| {
        let recording_begun = begun.contains(&call.id.into());
        Left { attempt, call, recording_begun }
    };
    let queues = lanes::queues(&mut conn, &ids).await?;
    Ok((attempts.into_iter().map(left).collect(), queues))
}

/// Follows an attempt that an earlier lane left. It holds its permits again before anything is dialed.
pub fn follow(tracker: &mut Tracker, dispatch: &mut Dispatch, left: Left, now: Now) {
    let Left { attempt, call, recording_begun } = left;
    let spec = call.originate_spec().ok();
    let claim = Claim {
        call: call_ref(&call),
        from: CallStatus::Queued,
        attempt: attempt.id.into(),
        number: attempt.number,
        channel_id: attempt.channel_id,
        at: Millis(attempt.started_at),
        settings: CallSettings::default(),
        checks: Checks::default(),
        details: spec.as_ref().map(|spec| details(&call, spec)),
    };
    let trunk = spec.as_ref().and_then(|spec| dial_string::trunk(&spec.channel));
    let legs = spec.as_ref().map_or(Legs::ONE, Legs::of);
    let permits = dispatch.adopt(call_ref(&call), trunk, &legs, now.instant);
    let known = Resumed {
        ringing_at: attempt.ringing_at.map(Millis),
        answered_at: attempt.answered_at.map(Millis),
        recording_begun,
    };
    let recording = spec.as_ref().and_then(|spec| spec.recording.clone());
    let recording = of_attempt(recording, claim.call.id, claim.number, Tally(call.tally));
    let live = Live {
        attempt: Attempt::resume(claim, recording, known, now),
        max_retries: call.max_retries,
        retry_rules: spec.map(|spec| spec.retry_rules).unwrap_or_default(),
        tally: Tally(call.tally),
        permits,
    };
    tracker.resume(live, now);
}
