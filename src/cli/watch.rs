//! `trunkline watch`: prints the events of calls as they happen. It reconnects with its cursor if the connection
//! breaks.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;
use tonic::{Code, Status};

use super::fault::{is_away, note};
use super::output::{as_rest, cell};
use super::remote::{Remote, Session};
use super::signals::asked_to_stop;
use crate::pb;

/// The flags and arguments of `watch`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Show only the calls of this queue
    #[arg(long, value_name = "QUEUE_ID")]
    queue: Option<i64>,
    /// Show only this call, from its beginning to its end
    #[arg(long, value_name = "CALL_ID", conflicts_with = "after")]
    call: Option<String>,
    /// Show the events after this SEQ, 0 being before the first [default: begin with the calls that are live now]
    #[arg(long, value_name = "SEQ")]
    after: Option<i64>,
}

/// The first and the longest pause before the watch connects again.
const WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Prints events until SIGTERM or SIGINT, or until the one call that is watched has ended.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    tokio::select! {
        watched = watch(args, &session) => watched,
        stopped = asked_to_stop() => stopped,
    }
}

async fn watch(args: Args, session: &Session) -> anyhow::Result<()> {
    let mut request =
        pb::WatchCallsRequest { queue_id: args.queue, call_id: args.call, after: args.after, ..Default::default() };
    if let Some(call_id) = request.call_id.clone() {
        let call =
            session.calls().get_call(pb::GetCallRequest { call_id }).await?.into_inner().call.unwrap_or_default();
        head(session)?;
        let mut over = false;
        for event in &call.timeline {
            over = show(session, event)?;
        }
        if over {
            return Ok(());
        }
        request.after = Some(call.timeline.last().map_or(0, |event| event.seq));
    } else {
        head(session)?;
    }
    let mut wait = WAITS.0;
    loop {
        let before = request.after;
        match follow(session, &mut request).await? {
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
async fn follow(session: &Session, request: &mut pb::WatchCallsRequest) -> anyhow::Result<Ended> {
    let mut events = match session.calls().watch_calls(request.clone()).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Ok(Ended::Broken(status)),
    };
    loop {
        match events.message().await {
            Ok(Some(pb::WatchCallsResponse { event: Some(event) })) => {
                let over = show(session, &event)? && request.call_id.is_some();
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

/// The columns: names of an event's fields, and their widths in characters.
const COLUMNS: [(&str, usize); 8] = [
    ("seq", 7),
    ("at", 24),
    ("queue_id", 8),
    ("call_id", 36),
    ("attempt", 7),
    ("type", 17),
    ("status", 10),
    ("outcome", 11),
];

fn head(session: &Session) -> io::Result<()> {
    if session.out.is_json() {
        return Ok(());
    }
    let heads: String = COLUMNS.iter().map(|(name, width)| format!("{:width$}  ", name.to_uppercase())).collect();
    writeln!(io::stdout(), "{heads}DETAIL")
}

/// Prints an event. Returns true if it is the last event of a call.
fn show(session: &Session, event: &pb::CallEvent) -> anyhow::Result<bool> {
    let json = as_rest(event)?;
    let mut out = io::stdout();
    if session.out.is_json() {
        writeln!(out, "{json}")?;
    } else {
        writeln!(out, "{}", line(&json, event))?;
    }
    Ok(event.r#type() == pb::CallEventType::Ended)
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
        (Some(count), _) => format!("{count} calls"),
        (None, Some(_)) => cell(&json["detail"]),
        (None, None) => event.hangup_cause.map(|cause| format!("cause {cause}")).unwrap_or_default(),
    };
    line.push_str(&detail);
    line.trim_end().to_owned()
}
