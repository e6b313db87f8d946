//! `trunkline watch`: prints the events of calls as they happen. It reconnects with its cursor if the connection
//! breaks.

use std::collections::HashMap;
use std::future::Future;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;
use tonic::{Code, Status};

use super::client_ref::ForClient;
use super::event_type::event_type;
use super::fault::{is_away, note};
use super::labels::{Label, label};
use super::output::{as_rest, cell};
use super::remote::{Remote, Session};
use super::signals::asked_to_stop;
use crate::pb;

/// The flags and arguments of `watch`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    client: ForClient,
    /// Show only the calls of this queue; may be given several times
    #[arg(long, value_name = "QUEUE_ID")]
    queue: Vec<i64>,
    /// Show only this call, from its beginning to its end
    #[arg(long, value_name = "CALL_ID", conflicts_with = "after")]
    call: Option<String>,
    /// Show the events after this SEQ, 0 being before the first [default: begin with the calls that are live now]
    #[arg(long, value_name = "SEQ")]
    after: Option<i64>,
    /// Show only the calls that this server places
    #[arg(long, value_name = "CODE", conflicts_with = "call")]
    server: Option<String>,
    /// Show only events of this type, such as ended; may be given several times. The live calls at the beginning are
    /// shown in any case
    #[arg(long = "type", value_name = "TYPE", value_parser = event_type, conflicts_with = "call")]
    types: Vec<pb::CallEventType>,
    /// Show only the calls with this label
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, conflicts_with = "call")]
    label: Option<Label>,
}

/// The first and the longest pause before the watch connects again.
const WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// How long nothing is received until the connection is taken for lost: three times the server's heartbeat.
const LOST: Duration = Duration::from_secs(45);

/// Prints events until SIGTERM or SIGINT, or until the one call that is watched has ended.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    tokio::select! {
        watched = watch(args, &session) => watched,
        stopped = asked_to_stop() => stopped,
    }
}

async fn watch(args: Args, session: &Session) -> anyhow::Result<()> {
    let client_id = args.client.id(session).await?;
    if let Some(call_id) = &args.call {
        args.client.check_call(session, call_id).await?;
    }
    let mut request = pb::WatchCallsRequest {
        call_id: args.call,
        after: args.after,
        client_id,
        heartbeat: Some(true),
        queue_ids: args.queue,
        asterisk_server_code: args.server,
        types: args.types.into_iter().map(Into::into).collect(),
        label: args.label.map(|(key, value)| format!("{key}:{value}")),
        ..Default::default()
    };
    // Without the end of each call it would not be known when to forget what a call dials.
    let mut screen = Screen { session, dialed: request.types.is_empty().then(HashMap::new) };
    if let Some(call_id) = request.call_id.clone() {
        let call =
            session.calls().get_call(pb::GetCallRequest { call_id }).await?.into_inner().call.unwrap_or_default();
        screen.head()?;
        let mut over = false;
        for event in &call.timeline {
            over = screen.show(event)?;
        }
        if over {
            return Ok(());
        }
        request.after = Some(call.timeline.last().map_or(0, |event| event.seq));
    } else {
        screen.head()?;
    }
    let mut wait = WAITS.0;
    loop {
        let before = request.after;
        match follow(session, &mut request, &mut screen).await? {
            Ended::CallOver => return Ok(()),
            Ended::Broken(status) if is_away(&status) => {
                if request.after != before {
                    wait = WAITS.0;
                }
                note(format_args!("{}; reconnecting", status.message()));
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(WAITS.1);
            }
            Ended::Broken(status) if status.code() == Code::OutOfRange && request.call_id.is_none() => {
                // The server has another database now.
                note("the server has no such event; continuing with the calls that are live now");
                request.after = None;
            }
            Ended::Broken(status) => return Err(status.into()),
        }
    }
}

/// Why a stream ended.
enum Ended {
    /// The one call that is watched has ended.
    CallOver,
    /// The stream ended or failed, for this reason.
    Broken(Status),
}

/// Shows events as they arrive, and moves the cursor after each.
async fn follow(
    session: &Session,
    request: &mut pb::WatchCallsRequest,
    screen: &mut Screen<'_>,
) -> anyhow::Result<Ended> {
    let mut events = match session.calls().watch_calls(request.clone()).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Ok(Ended::Broken(status)),
    };
    loop {
        match unless_lost(events.message()).await {
            Ok(Some(pb::WatchCallsResponse { event: Some(event) })) => {
                let is_heartbeat = event.r#type() == pb::CallEventType::Heartbeat;
                let over = !is_heartbeat && screen.show(&event)? && request.call_id.is_some();
                if event.seq > 0 {
                    request.after = Some(event.seq);
                }
                if over {
                    return Ok(Ended::CallOver);
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(Ended::Broken(Status::unavailable("the stream ended"))),
            Err(status) => return Ok(Ended::Broken(status)),
        }
    }
}

/// Waits for the next message of a stream with heartbeats. Returns an error if the connection is lost.
async fn unless_lost<T>(next: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let lost = || Status::unavailable(format!("nothing was received for {} s", LOST.as_secs()));
    tokio::time::timeout(LOST, next).await.unwrap_or_else(|_| Err(lost()))
}

/// The columns: names of an event's fields, and their widths in characters.
const COLUMNS: [(&str, usize); 11] = [
    ("seq", 7),
    ("at", 24),
    ("queue_id", 8),
    ("call_id", 36),
    ("asterisk_server_code", 20),
    ("contact_number", 14),
    ("channel", 30),
    ("attempt", 7),
    ("type", 17),
    ("status", 10),
    ("outcome", 11),
];

/// What a call dials.
#[derive(Clone)]
struct Dialed {
    contact_number: Option<i64>,
    channel: Option<String>,
}

/// Prints events, and remembers what the calls dial, which only their first events say.
struct Screen<'s> {
    session: &'s Session,
    /// What each call dials that has not ended; None if that is not remembered.
    dialed: Option<HashMap<String, Dialed>>,
}

impl Screen<'_> {
    fn head(&self) -> io::Result<()> {
        if self.session.out.is_json() {
            return Ok(());
        }
        let heads: String = COLUMNS.iter().map(|(name, width)| format!("{:width$}  ", name.to_uppercase())).collect();
        writeln!(io::stdout(), "{heads}DETAIL")
    }

    /// Prints an event. Returns true if it is the last event of a call.
    fn show(&mut self, event: &pb::CallEvent) -> anyhow::Result<bool> {
        let is_end = event.r#type() == pb::CallEventType::Ended;
        let mut out = io::stdout();
        if self.session.out.is_json() {
            writeln!(out, "{}", as_rest(event)?)?;
            return Ok(is_end);
        }
        let event = self.with_dialed(event.clone(), is_end);
        writeln!(out, "{}", line(&as_rest(&event)?, &event))?;
        Ok(is_end)
    }

    /// Adds to an event what an earlier event of its call said about it.
    fn with_dialed(&mut self, mut event: pb::CallEvent, is_end: bool) -> pb::CallEvent {
        let (Some(dialed), Some(call)) = (&mut self.dialed, &event.call_id) else { return event };
        if is_end {
            dialed.remove(call);
        } else if event.channel.is_some() {
            let (contact_number, channel) = (event.contact_number, event.channel.clone());
            dialed.insert(call.clone(), Dialed { contact_number, channel });
        } else if let Some(Dialed { contact_number, channel }) = dialed.get(call).cloned() {
            (event.contact_number, event.channel) = (contact_number, channel);
        }
        event
    }
}

fn line(json: &Value, event: &pb::CallEvent) -> String {
    let mut line: String = COLUMNS
        .iter()
        .map(|(name, width)| {
            let value = json.get(*name).unwrap_or(&Value::Null);
            format!("{:width$}  ", cell(value))
        })
        .collect();
    let detail = match (event.count, &event.detail) {
        (_, Some(_)) => cell(&json["detail"]),
        (Some(count), None) => format!("{count} calls"),
        (None, None) => {
            let cause = event.hangup_cause.map(|cause| format!("cause {cause}"));
            let duration = event.duration.map(|seconds| format!("{seconds} s"));
            let billed = event.billable_seconds.map(|seconds| format!("{seconds} s billed"));
            cause.into_iter().chain(duration).chain(billed).collect::<Vec<_>>().join(", ")
        }
    };
    line.push_str(&detail);
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_three_heartbeats_in_a_row_is_lost() {
        let began = tokio::time::Instant::now();
        let Err(lost) = unless_lost::<()>(pending()).await else { panic!("a message was received") };
        assert_eq!(began.elapsed().as_secs(), LOST.as_secs());
        assert!(is_away(&lost), "the watch connects again after {lost}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_with_a_heartbeat_now_and_then_is_not_lost() {
        let late = async {
            tokio::time::sleep(LOST / 3 * 2).await;
            Ok::<_, Status>(1)
        };
        assert_eq!(unless_lost(late).await.unwrap(), 1);
    }
}
