//! Explains why the calls of a queue wait. Any node can, because lanes publish in the store what only they know.

use super::app::App;
use super::convert;
use crate::api::Error;
use crate::domain::explain::{OnServer, QueueState, ServerState, Waiting, explain};
use crate::domain::status::{QueueStatus, ServerStatus};
use crate::domain::time::Millis;
use crate::domain::wait_reasons::{LaneWaits, QueueWaits};
use crate::pb;
use crate::store::queues::Queue;
use crate::store::settings::{self, KillSwitch};
use crate::store::{Conn, brakes, clients, destinations, wait_reasons};

/// Returns why the calls of a queue wait.
pub async fn queue(app: &App, queue: &Queue) -> Result<pb::ExplainQueueResponse, Error> {
    let now = Millis::now();
    let mut conn = app.db.read().await?;
    let (kill_switch, _) = settings::get::<KillSwitch>(&mut conn).await?;
    let client = clients::get(&mut conn, queue.client_id).await?;
    let state = QueueState {
        kill_switch: kill_switch.engaged.then_some(kill_switch.reason),
        client_disabled: client.is_none_or(|client| client.disabled),
        status: QueueStatus::try_from(queue.status).map_err(Error::internal)?,
        starts: queue.start_at.map(Millis).filter(|start| *start > now),
        ended: queue.end_at.map(Millis).filter(|end| *end <= now),
    };
    let rows = wait_reasons::on_servers(&mut conn, queue.client_id, queue.id).await?;
    let (waiting, live) = rows.iter().fold((0, 0), |(waiting, live), row| (waiting + row.waiting, live + row.live));
    let mut servers = Vec::with_capacity(rows.len());
    for row in rows.into_iter().filter(|row| row.waiting > 0) {
        servers.push(on_server(&mut conn, queue, row, now).await?);
    }
    let reasons = explain(&state, &servers).into_iter().map(reason).collect();
    Ok(pb::ExplainQueueResponse { queue_id: queue.id, queue_status: queue.status.into(), waiting, live, reasons })
}

async fn on_server(
    conn: &mut Conn,
    queue: &Queue,
    row: wait_reasons::OnServer,
    now: Millis,
) -> Result<OnServer, Error> {
    let (server, queue_id) = (row.server_code.as_str(), queue.id);
    let published = published(&row, queue_id)?;
    let (mut outside_window, mut next_due) = (0, None);
    if let Some(waits) = published.as_ref().filter(|waits| waits.some_open && !waits.closed.is_empty()) {
        let zones: Vec<&str> = waits.closed.keys().map(String::as_str).collect();
        outside_window = wait_reasons::due_in(conn, server, queue_id, &zones, now).await?;
    }
    if row.retrying > 0 {
        next_due = wait_reasons::first_due(conn, server, queue_id, now).await?;
    }
    let scheduled = wait_reasons::scheduled(conn, server, queue_id, now).await?;
    let another_day = destinations::waiting(conn, server, queue_id, now).await?;
    let held = brakes::held(conn, server, queue_id, now).await?;
    let braked = if held > 0 { brakes::braked(conn, queue.client_id, now).await? } else { None };
    Ok(OnServer {
        state: state(&row, now),
        code: row.server_code,
        waiting: row.waiting,
        retrying: row.retrying,
        next_due,
        scheduled,
        another_day,
        braked: braked.map(|braked| (held, braked)),
        outside_window,
        held: published,
    })
}

/// Returns what the lane of a server has published about the queue, or `None` if it has published nothing about it.
fn published(row: &wait_reasons::OnServer, queue_id: i64) -> Result<Option<QueueWaits>, Error> {
    let Some(text) = row.lane.as_ref().and_then(|lane| lane.held.as_deref()) else { return Ok(None) };
    let mut lane: LaneWaits = serde_json::from_str(text).map_err(Error::internal)?;
    Ok(lane.queues.remove(&queue_id))
}

fn state(row: &wait_reasons::OnServer, now: Millis) -> ServerState {
    if row.grant.is_none() {
        return ServerState::NotGranted;
    }
    let Some(lane) = row.lane.as_ref().filter(|lane| lane.expires_at > now.0) else { return ServerState::Unowned };
    match ServerStatus::try_from(lane.status) {
        Ok(ServerStatus::Online) => ServerState::Online,
        Ok(ServerStatus::Draining) => ServerState::Draining,
        Ok(ServerStatus::Connecting | ServerStatus::Offline | ServerStatus::Unauthorized) | Err(_) => {
            ServerState::Offline
        }
    }
}

fn reason(waiting: Waiting) -> pb::WaitingCalls {
    let (limit_name, limit) = waiting.limit.map(|limit| (limit.name, limit.value)).unzip();
    pb::WaitingCalls {
        reason: i32::from(waiting.reason as u8),
        calls: waiting.calls,
        asterisk_server_code: Some(waiting.server),
        limit,
        until: waiting.until.and_then(|until| convert::time(until.0)),
        text: waiting.text,
        limit_name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::wait_reasons::Reason;

    #[test]
    fn reasons_have_the_codes_of_the_api() {
        for (reason, code) in [
            (Reason::Ready, pb::WaitReason::Ready),
            (Reason::KillSwitch, pb::WaitReason::KillSwitch),
            (Reason::ServerChannels, pb::WaitReason::ServerChannels),
            (Reason::TrunkPace, pb::WaitReason::TrunkPace),
            (Reason::DestinationLimit, pb::WaitReason::DestinationLimit),
            (Reason::NotReadYet, pb::WaitReason::NotReadYet),
            (Reason::ClientCallsPerDay, pb::WaitReason::ClientCallsPerDay),
            (Reason::ClientMinutesPerDay, pb::WaitReason::ClientMinutesPerDay),
            (Reason::NewDestinations, pb::WaitReason::NewDestinations),
            (Reason::QueueNotStarted, pb::WaitReason::QueueNotStarted),
            (Reason::QueueEnded, pb::WaitReason::QueueEnded),
            (Reason::Scheduled, pb::WaitReason::Scheduled),
        ] {
            assert_eq!(i32::from(reason as u8), i32::from(code), "{reason:?}");
        }
    }
}
