//! The events that the dialer needs, as types. A missing field is empty or zero, so parsing cannot fail.

use std::borrow::Cow;

use super::message::Message;
use crate::domain::attempt::DialStatus;
use crate::domain::cause::Cause;
use crate::domain::cdr::{Cdr, Disposition};

/// The `ChannelState` of a channel that is ringing (`enum ast_channel_state`).
pub const RINGING: u8 = 5;

/// The `ChannelState` of a channel that has been answered.
pub const UP: u8 = 6;

/// An event, or one item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A channel was created.
    Newchannel(Channel),
    /// A channel's state changed.
    Newstate(Channel),
    /// The dialed channel rings or makes progress.
    DialState { dest_uniqueid: String, ringing: bool },
    /// Dialing a channel has ended.
    DialEnd { dest_uniqueid: String, status: DialStatus },
    /// The result of an Originate.
    OriginateResponse { action_id: String, uniqueid: String, channel: String, success: bool, reason: u8 },
    /// A channel entered a bridge, which now has this many channels.
    BridgeEnter { uniqueid: String, linkedid: String, channels: u32 },
    /// A channel is gone.
    Hangup { uniqueid: String, linkedid: String, cause: Cause },
    /// A channel's CDR, which is received before or after its Hangup. It needs `cdr_manager` and the read permission
    /// `cdr`.
    Cdr { uniqueid: String, record: Cdr },
    /// A MixMonitor recording was stopped. Asterisk does not report one that ends with its channel.
    MixMonitorStop { uniqueid: String },
    /// A `UserEvent(Trunkline,…)` from the dialplan, with its headers. It needs the read permission `user`.
    UserEvent { uniqueid: String, linkedid: String, headers: Vec<(String, String)> },
    /// A live channel in the answer to CoreShowChannels.
    CoreShowChannel(Channel),
    /// Any other event, by name.
    Other(String),
}

/// A channel as most events describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// The channel's name, such as `PJSIP/endpoint1-00000001`.
    pub name: String,
    /// The channel's own id.
    pub uniqueid: String,
    /// The id of the oldest channel of the same call.
    pub linkedid: String,
    /// The `ChannelState`: [`RINGING`], [`UP`] or another.
    pub state: u8,
}

/// The name under which the dialplan sends us a `UserEvent`.
pub const USER_EVENT: &str = "Trunkline";

/// The event classes that a session asks for. Events of a class that the user may not read are not sent. `system` is
/// needed for `FullyBooted` after the login; the [`filters`] exclude the rest of that class.
pub const CLASSES: &str = "system,call,cdr,user";

/// The names of the events that a lane needs, for the filters. Each one costs Asterisk and us CPU time on every call,
/// so each has its reason. Without a filter an answered call causes about 19 events.
pub const WANTED: [&str; 10] = [
    // The first sign that a leg exists. It has the name by which the leg is recorded and hung up.
    "Newchannel",
    // The earliest sign of ringing and of the answer, on every technology except Local.
    "Newstate",
    // A Local channel is ringing. Its state does not always show that.
    "DialState",
    // How dialing ended. It distinguishes no answer from congestion if there is no hangup cause, as on Asterisk 16.
    "DialEnd",
    // The only sign of an Originate that never created a channel.
    "OriginateResponse",
    // Two legs can hear each other.
    "BridgeEnter",
    // The end of each leg, with its cause.
    "Hangup",
    // Asterisk's own count of billable seconds. There is one for each leg of an answered call, 900 bytes together. On
    // Asterisk 22 they were measured to cost less than 3 % of the 0.52 ms of CPU that such a call takes.
    "Cdr",
    // Another manager user or the dialplan stopped a recording. This is rare.
    "MixMonitorStop",
    // The dialplan's reports, as many as it sends.
    "UserEvent",
];

/// Returns true if a lane needs an event of this name. Any other is skipped after reading its first line.
#[must_use]
pub fn is_known(name: &[u8]) -> bool {
    name == b"CoreShowChannel" || WANTED.iter().any(|wanted| wanted.as_bytes() == name)
}

/// Returns the filters that let only [`WANTED`] pass: one that includes, and one that excludes.
///
/// The first is one filter for all names, made of letters only: Asterisk matches each of a call's 20 or so events
/// against every filter until one matches, with `regexec`. In a UTF-8 locale this one takes 0.1 us. With a
/// `[[:space:]]` at its end, which makes glibc decode the text first, it would take 1.9 us. Without it, `Hangup` also
/// matches `HangupRequest`, which the second filter therefore excludes.
#[must_use]
pub fn filters() -> [String; 2] {
    [format!("^Event: ({})", WANTED.join("|")), "!^Event: HangupRequest".to_owned()]
}

impl Event {
    /// Parses a message. Returns None if it is not an event, or if it is a `UserEvent` with a name other than
    /// [`USER_EVENT`].
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

/// Parses a `UserEvent`. The dialplan's own headers follow the one that names its event.
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

/// Finds the first header of each name in one pass. A header that is missing is empty.
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

/// Converts a time such as `2026-11-23 22:33:21`, in the server's own time zone, to seconds that can be subtracted from
/// one another. Returns None if it is empty.
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
