//! The events that a dialer needs, typed. A field that is missing is empty or zero; nothing here can fail.

use std::borrow::Cow;

use super::message::Message;
use crate::domain::cause::Cause;
use crate::domain::cdr::{Cdr, Disposition};
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
    /// A channel's call record: behind its Hangup or ahead of it. Needs `cdr_manager`, and read permission `cdr`.
    Cdr { uniqueid: String, record: Cdr },
    /// A recording was stopped by somebody. Not told of one that ends with its channel.
    MixMonitorStop { uniqueid: String },
    /// `UserEvent(Trunkline,…)` of a dialplan, with its headers. Needs read permission `user`.
    UserEvent { uniqueid: String, linkedid: String, headers: Vec<(String, String)> },
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

/// The `UserEvent` that is ours, as the dialplan names it.
pub const USER_EVENT: &str = "Trunkline";

/// Classes of events that a session asks for; without the permission to read one, its events do not come. `system` is
/// for `FullyBooted` at its begin; the [`filters`] keep the rest of it out.
pub const CLASSES: &str = "system,call,cdr,user";

/// Names of the events that a lane wants, for filters. Each one costs Asterisk and us for every call, so each has its
/// reason; an answered call brings about 19 events without a filter.
pub const WANTED: [&str; 10] = [
    // The first sign that a leg exists, with the name by which it is recorded and hung up.
    "Newchannel",
    // Ringing, and the answer: the earliest sign of both on every technology but Local.
    "Newstate",
    // Ringing of a Local channel, whose state does not always tell.
    "DialState",
    // How dialing ended: tells no answer from congestion where causes are silent, as on Asterisk 16.
    "DialEnd",
    // The only sign of an Originate that never had a channel.
    "OriginateResponse",
    // Two legs hear one another.
    "BridgeEnter",
    // The end of each leg, with its cause.
    "Hangup",
    // Asterisk's own count of billable seconds: one for each leg of an answered call, 900 bytes together. Measured on
    // Asterisk 22, they cost it less than 3 % of the 0.52 ms of CPU that such a call takes.
    "Cdr",
    // Somebody else stopped a recording; rare.
    "MixMonitorStop",
    // Reports of the dialplan; as many as it sends.
    "UserEvent",
];

/// Whether a lane wants an event of that name; it costs a look at the first line to pass over any other.
#[must_use]
pub fn is_known(name: &[u8]) -> bool {
    name == b"CoreShowChannel" || WANTED.iter().any(|wanted| wanted.as_bytes() == name)
}

/// The filters that let only [`WANTED`] pass: what may, and what of that may not.
///
/// One for all of them, and of nothing but letters: Asterisk holds each of a call's 20 events or so against every filter
/// until one matches, by `regexec`. In a UTF-8 locale that takes 0.1 us for this one. It would take 1.9 us with a
/// `[[:space:]]` behind it, which makes glibc decode the text first; hence the second filter, for `Hangup` alone lets
/// `HangupRequest` pass, too.
#[must_use]
pub fn filters() -> [String; 2] {
    [format!("^Event: ({})", WANTED.join("|")), "!^Event: HangupRequest".to_owned()]
}

impl Event {
    /// The event that a message is; None where it is none, and for a `UserEvent` that is not ours.
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
            b"Cdr" => {
                let [uniqueid, disposition, billable, answered, ended] =
                    fields(message, ["UniqueID", "Disposition", "BillableSeconds", "AnswerTime", "EndTime"]);
                let record = Cdr {
                    disposition: self::disposition(&disposition),
                    billable_seconds: number(&billable),
                    answered: seconds(&answered),
                    ended: seconds(&ended),
                };
                Self::Cdr { uniqueid: uniqueid.into_owned(), record }
            }
            b"MixMonitorStop" => {
                let [uniqueid] = fields(message, ["Uniqueid"]);
                Self::MixMonitorStop { uniqueid: uniqueid.into_owned() }
            }
            b"UserEvent" => return user_event(message),
            other => Self::Other(String::from_utf8_lossy(other).into_owned()),
        })
    }
}

/// The dialplan's own headers stand behind the one that names its event.
fn user_event(message: &Message) -> Option<Event> {
    let [uniqueid, linkedid, name] = fields(message, ["Uniqueid", "Linkedid", "UserEvent"]);
    if !name.eq_ignore_ascii_case(USER_EVENT) {
        return None;
    }
    let own = message.headers().skip_while(|(name, _)| !name.eq_ignore_ascii_case(b"UserEvent")).skip(1);
    let headers = own.map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.into_owned())).collect();
    Some(Event::UserEvent { uniqueid: uniqueid.into_owned(), linkedid: linkedid.into_owned(), headers })
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

/// Texts of `ast_cdr_disp2str` in Asterisk's `main/cdr.c`.
fn disposition(text: &str) -> Disposition {
    match text {
        "ANSWERED" => Disposition::Answered,
        "BUSY" => Disposition::Busy,
        "NO ANSWER" => Disposition::NoAnswer,
        "CONGESTION" => Disposition::Congestion,
        _ => Disposition::Other,
    }
}

/// `2026-11-23 22:33:21`, the server's own time of day, as seconds on an even scale; None where it is empty.
fn seconds(text: &str) -> Option<i64> {
    let time: jiff::civil::DateTime = text.parse().ok()?;
    Some(jiff::tz::TimeZone::UTC.to_timestamp(time).ok()?.as_second())
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

    #[test]
    fn a_call_record_is_read_with_its_times() {
        let text = "Event: Cdr\r\nAnswerTime: 2026-11-23 23:59:58\r\nEndTime: 2026-11-24 00:00:05\r\n\
                    BillableSeconds: 7\r\nDisposition: ANSWERED\r\nUniqueID: cid-a1\r\n";
        let Some(Event::Cdr { uniqueid, record }) = parse(text) else { panic!("no call record") };
        assert_eq!(
            (uniqueid.as_str(), record.disposition, record.billable_seconds),
            ("cid-a1", Disposition::Answered, 7)
        );
        assert_eq!(record.ended.zip(record.answered).map(|(ended, answered)| ended - answered), Some(7));
        let Some(Event::Cdr { record, .. }) = parse("Event: Cdr\r\nAnswerTime: \r\n") else { panic!("no call record") };
        assert_eq!((record.answered, record.disposition), (None, Disposition::Other));
    }

    #[test]
    fn a_user_event_of_the_dialplan_has_its_own_headers_and_no_others() {
        let text = "Event: UserEvent\r\nPrivilege: user,all\r\nChannel: Local/1\r\nUniqueid: c;2\r\nLinkedid: c\r\n\
                    UserEvent: Trunkline\r\nCallId: 1\r\nNote: pressed\r\nDigit: 5\r\n";
        let Some(Event::UserEvent { uniqueid, linkedid, headers }) = parse(text) else { panic!("no user event") };
        assert_eq!((uniqueid.as_str(), linkedid.as_str()), ("c;2", "c"));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, [("CallId", "1"), ("Note", "pressed"), ("Digit", "5")]);
        assert_eq!(parse("Event: UserEvent\r\nUserEvent: Other\r\nCallId: 1\r\n"), None);
    }
}
