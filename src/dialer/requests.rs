//! Requests to Asterisk that the lane does not wait for: each runs in a task, which sends back a reply.

use tokio::sync::mpsc::UnboundedSender;

use crate::ami::event::Channel;
use crate::ami::{Action, Event, HeaderValue, Link};
use crate::domain::cause::NORMAL_CLEARING;
use crate::domain::ids::AttemptId;
use crate::domain::originate::Recording;

/// The answer to one of the lane's requests.
pub enum Reply {
    Channels {
        snapshot: u64,
        channels: Option<Vec<Channel>>,
    },
    /// The recording's path, or why it was not started.
    MixMonitor {
        attempt: AttemptId,
        answer: Result<String, String>,
    },
}

/// Requests a snapshot of the live channels. The reply carries the number `snapshot`.
pub fn channels(link: &Link, snapshot: u64, replies: &UnboundedSender<Reply>) {
    let (link, replies) = (link.clone(), replies.clone());
    tokio::spawn(async move {
        let channels = link.list(Action::CoreShowChannels).await.ok().map(|answer| {
            let channel = |event| if let Event::CoreShowChannel(channel) = event { Some(channel) } else { None };
            answer.events.into_iter().filter_map(channel).collect()
        });
        let _ = replies.send(Reply::Channels { snapshot, channels });
    });
}

/// Asks to hang up a channel by its name or, if that is not known, by its Uniqueid. The answer is not waited for,
/// because the Hangup event is the proof. A request that is lost or comes too early is repeated.
pub fn hang_up(link: &Link, channel: &str) {
    let (Ok(id), Ok(channel)) = (HeaderValue::try_from("hangup"), HeaderValue::try_from(channel)) else { return };
    let _ = link.post(id, Action::Hangup { channel, cause: NORMAL_CLEARING });
}

/// Asks MixMonitor to record `channel`.
pub fn record(
    link: &Link,
    attempt: AttemptId,
    channel: String,
    recording: Recording,
    replies: &UnboundedSender<Reply>,
) {
    let (link, replies) = (link.clone(), replies.clone());
    tokio::spawn(async move {
        let answer = ask_to_record(&link, &channel, &recording).await.map(|()| recording.path);
        let _ = replies.send(Reply::MixMonitor { attempt, answer });
    });
}

async fn ask_to_record(link: &Link, channel: &str, recording: &Recording) -> Result<(), String> {
    let value = |text: &str| HeaderValue::try_from(text).map_err(|error| error.to_string());
    let action = Action::MixMonitor {
        channel: value(channel)?,
        file: value(&recording.path)?,
        options: recording.options.as_deref().map(value).transpose()?,
        command: recording.command.as_deref().map(value).transpose()?,
    };
    let answer = link.request(action).await.map_err(|error| error.to_string())?;
    if answer.response.is_success() { Ok(()) } else { Err(answer.response.text()) }
}
