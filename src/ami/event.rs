//! The events that a dialer needs, typed. A field that is missing is empty or zero; nothing here can fail.

use std::borrow::Cow;

use super::message::Message;
use crate::domain::cause::Cause;
use crate::domain::outcome::DialStatus;

/// `ChannelState` of a channel that rings (`enum ast_channel_state`).
pub const RINGING: u8 = 5;

/// `ChannelState` of a channel that is answered.
pub const UP: u8 = 6;

/// An event, or a part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A channel was made.
    Newchannel(Channel),
    /// A channel's state changed.
    Newstate(Channel),
    /// The dialed channel rings or makes progress.
    DialState { dest_uniqueid: String, ringing: bool },
    /// Dialing a channel came to an end.
    DialEnd { dest_uniqueid: String, status: DialStatus },
    /// What became of an Originate.
    OriginateResponse { action_id: String, uniqueid: String, channel: String, success: bool, reason: u8 },
    /// A channel entered a bridge, which holds so many now.
    BridgeEnter { uniqueid: String, linkedid: String, channels: u32 },
    /// A channel is gone.
    Hangup { uniqueid: String, linkedid: String, cause: Cause },
    /// A live channel, in the answer to CoreShowChannels.
    CoreShowChannel(Channel),
    /// Any other.
    Other(String),
}

/// A channel as most events describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// Its name, as `PJSIP/endpoint1-00000001`.
    pub name: String,
    /// Its own id.
    pub uniqueid: String,
    /// The id of the channel that it belongs to: the oldest of the call.
    pub linkedid: String,
    /// A `ChannelState`: [`RINGING`], [`UP`] and others.
    pub state: u8,
}

/// Names of the events that a lane wants, for filters.
pub const WANTED: [&str; 7] =
    ["Newchannel", "Newstate", "DialState", "DialEnd", "OriginateResponse", "BridgeEnter", "Hangup"];

/// Whether a lane wants an event of that name; it costs a look at the first line to pass over any other.
#[must_use]
pub fn is_known(name: &[u8]) -> bool {
    name == b"CoreShowChannel" || WANTED.iter().any(|wanted| wanted.as_bytes() == name)
}

/// The filter that lets only [`WANTED`] pass. One for all of them: Asterisk holds every event against every filter
/// until one matches, by `regexec`, so that seven cost it several times as much as one that is anchored. And one is
/// refused or taken as a whole. The end keeps `HangupRequest` out, which `Event: Hangup` would let in.
#[must_use]
pub fn filter() -> String {
    format!("^Event: ({})[[:space:]]", WANTED.join("|"))
}

impl Event {
    /// The event that a message is; None where it is none.
    #[must_use]
    pub fn parse(message: &Message) -> Option<Self> {
        let name = message.event_name()?;
        Some(match name {
            b"Newchannel" => Self::Newchannel(channel(message)),
            b"Newstate" => Self::Newstate(channel(message)),
            b"CoreShowChannel" => Self::CoreShowChannel(channel(message)),
            b"DialState" => {
                let [dest_uniqueid, status] = fields(message, ["DestUniqueid", "DialStatus"]);
                Self::DialState { dest_uniqueid: dest_uniqueid.into_owned(), ringing: status == "RINGING" }
            }
            b"DialEnd" => {
                let [dest_uniqueid, status] = fields(message, ["DestUniqueid", "DialStatus"]);
                Self::DialEnd { dest_uniqueid: dest_uniqueid.into_owned(), status: dial_status(&status) }
            }
            b"OriginateResponse" => {
                let [action_id, uniqueid, channel, response, reason] =
                    fields(message, ["ActionID", "Uniqueid", "Channel", "Response", "Reason"]);
                Self::OriginateResponse {
                    action_id: action_id.into_owned(),
                    uniqueid: uniqueid.into_owned(),
                    channel: channel.into_owned(),
                    success: response.eq_ignore_ascii_case("Success"),
                    reason: number(&reason),
                }
            }
            b"BridgeEnter" => {
                let [uniqueid, linkedid, channels] = fields(message, ["Uniqueid", "Linkedid", "BridgeNumChannels"]);
                Self::BridgeEnter {
                    uniqueid: uniqueid.into_owned(),
                    linkedid: linkedid.into_owned(),
                    channels: number(&channels),
                }
            }
            b"Hangup" => {
                let [uniqueid, linkedid, cause] = fields(message, ["Uniqueid", "Linkedid", "Cause"]);
                Self::Hangup { uniqueid: uniqueid.into_owned(), linkedid: linkedid.into_owned(), cause: number(&cause) }
            }
            other => Self::Other(String::from_utf8_lossy(other).into_owned()),
        })
    }
}

fn channel(message: &Message) -> Channel {
    let [name, uniqueid, linkedid, state] = fields(message, ["Channel", "Uniqueid", "Linkedid", "ChannelState"]);
    Channel {
        name: name.into_owned(),
        uniqueid: uniqueid.into_owned(),
        linkedid: linkedid.into_owned(),
        state: number(&state),
    }
}

/// The first header of each name, in one pass; empty where there is none.
fn fields<'m, const N: usize>(message: &'m Message, names: [&str; N]) -> [Cow<'m, str>; N] {
    let mut found = [const { None }; N];
    for (name, value) in message.raw_headers() {
        let wanted = names.iter().position(|wanted| wanted.as_bytes().eq_ignore_ascii_case(name));
        if let Some(index) = wanted
            && found[index].is_none()
        {
            found[index] = Some(String::from_utf8_lossy(value));
        }
    }
    found.map(Option::unwrap_or_default)
}

fn number<N: std::str::FromStr + Default>(text: &str) -> N {
    text.parse().unwrap_or_default()
}

fn dial_status(text: &str) -> DialStatus {
    match text {
        "ANSWER" => DialStatus::Answer,
        "BUSY" => DialStatus::Busy,
        "CONGESTION" => DialStatus::Congestion,
        "NOANSWER" => DialStatus::NoAnswer,
        "CANCEL" => DialStatus::Cancel,
        "CHANUNAVAIL" => DialStatus::ChanUnavail,
        _ => DialStatus::Other,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn parse(text: &str) -> Option<Event> {
        Event::parse(&Message::new(Bytes::copy_from_slice(text.as_bytes())))
    }

    #[test]
    fn missing_and_broken_fields_are_empty_or_zero() {
        assert_eq!(
            parse("Event: Hangup\r\nCause: many\r\n"),
            Some(Event::Hangup { uniqueid: String::new(), linkedid: String::new(), cause: 0 })
        );
        assert_eq!(parse("Event: FullyBooted\r\n"), Some(Event::Other("FullyBooted".into())));
        assert_eq!(parse("Response: Success\r\n"), None);
    }
}
