//! Writes events as Asterisk 22 does, with the fields and their order as in the traces.

use std::fmt::Write;

use super::call::{Call, Leg, Party};
use super::script::{Side, Step};

/// Returns the name and the class of a step's event, or `None` if the step has none.
pub fn event(step: Step) -> Option<(&'static str, &'static str)> {
    Some(match step {
        Step::NewChannel(_) => ("Newchannel", "call"),
        Step::NewExten(..) => ("Newexten", "dialplan"),
        Step::NewAccountCode(_) => ("NewAccountCode", "call"),
        Step::NewCallerId(_) => ("NewCallerid", "call"),
        Step::NewConnectedLine(_) => ("NewConnectedLine", "call"),
        Step::LocalBridge => ("LocalBridge", "call"),
        Step::DialBegin | Step::PeerDialBegin => ("DialBegin", "call"),
        Step::DialState | Step::PeerDialState => ("DialState", "call"),
        Step::DialEnd(_) | Step::PeerDialEnd(_) => ("DialEnd", "call"),
        Step::State(..) => ("Newstate", "call"),
        Step::BridgeCreate => ("BridgeCreate", "call"),
        Step::BridgeEnter(_) => ("BridgeEnter", "call"),
        Step::BridgeLeave(_) => ("BridgeLeave", "call"),
        Step::BridgeDestroy => ("BridgeDestroy", "call"),
        Step::Response(_) => ("OriginateResponse", "call"),
        Step::SoftHangupRequest(..) => ("SoftHangupRequest", "call"),
        Step::HangupRequest(..) => ("HangupRequest", "call"),
        Step::Hangup(..) => ("Hangup", "call"),
        Step::Cdr(_) => ("Cdr", "cdr"),
        Step::Report => ("UserEvent", "user"),
        Step::Wait(_) | Step::Run => return None,
    })
}

/// Writes a step's event, without its first two lines and the empty line that ends it.
pub fn fields(out: &mut String, call: &Call, step: Step, clock: &Clock) {
    match step {
        Step::NewChannel(side) | Step::State(side, _) | Step::NewConnectedLine(side) => side_of(out, call, side),
        Step::NewExten(side, application, data, _) => {
            side_of(out, call, side);
            let exten = call.leg(side).map_or("", |leg| leg.exten.as_str());
            put(out, &[("Extension", exten), ("Application", application), ("AppData", data)]);
        }
        Step::NewAccountCode(side) => {
            side_of(out, call, side);
            put(out, &[("OldAccountCode", "")]);
        }
        Step::NewCallerId(side) => {
            side_of(out, call, side);
            put(out, &[("CID-CallingPres", "0 (Presentation Allowed, Not Screened)")]);
        }
        Step::LocalBridge => {
            for (side, prefix) in [(Side::First, "LocalOne"), (Side::Second, "LocalTwo")] {
                prefixed(out, call, side, prefix);
            }
            let (context, exten) = (&call.dialed.context, &call.dialed.exten);
            put(out, &[("Context", context), ("Exten", exten), ("LocalOptimization", "No")]);
        }
        Step::DialBegin => {
            prefixed(out, call, Side::First, "Dest");
            put(out, &[("DialString", &call.dialed.dial_string)]);
        }
        Step::DialState => {
            prefixed(out, call, Side::First, "Dest");
            put(out, &[("DialStatus", "RINGING")]);
        }
        Step::DialEnd(status) => {
            prefixed(out, call, Side::First, "Dest");
            put(out, &[("DialStatus", status)]);
        }
        Step::PeerDialBegin => {
            peer(out, call);
            let dialed = call.peer_dialed.as_ref().map_or("", |dialed| dialed.dial_string.as_str());
            put(out, &[("DialString", dialed)]);
        }
        Step::PeerDialState => {
            peer(out, call);
            put(out, &[("DialStatus", "RINGING")]);
        }
        Step::PeerDialEnd(status) => {
            peer(out, call);
            put(out, &[("DialStatus", status)]);
        }
        Step::BridgeCreate | Step::BridgeDestroy => bridge(out, call),
        Step::BridgeEnter(side) | Step::BridgeLeave(side) => {
            bridge(out, call);
            side_of(out, call, side);
        }
        Step::Response(reason) => response(out, call, reason),
        Step::SoftHangupRequest(side, cause) | Step::HangupRequest(side, cause) => {
            side_of(out, call, side);
            put(out, &[("Cause", &cause.to_string())]);
        }
        Step::Hangup(side, cause) => {
            side_of(out, call, side);
            put(out, &[("Cause", &cause.to_string()), ("Cause-txt", cause_text(cause))]);
        }
        Step::Cdr(side) => cdr(out, call, side, clock),
        Step::Report => {
            side_of(out, call, call.dialplan_side());
            put(out, &[("UserEvent", "Trunkline")]);
            let id = call.variables.get("TRUNKLINE_CALL_ID").map_or("", String::as_str);
            put(out, &[("CallId", id), ("Note", "pressed"), ("Digit", "5")]);
        }
        Step::Wait(_) | Step::Run => {}
    }
}

/// Converts times to the phone's own time, so that the CDRs of a fast sandbox still show calls of many seconds.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub speed: f64,
    pub now: tokio::time::Instant,
    /// The wall clock in seconds since 1970.
    pub unix: i64,
}

impl Clock {
    /// Returns the whole seconds of the phone's time since an instant.
    pub fn since(&self, then: tokio::time::Instant) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "seconds of a call")]
        let seconds = (self.now.saturating_duration_since(then).as_secs_f64() * self.speed) as i64;
        seconds
    }

    fn text(&self, seconds_ago: i64) -> String {
        let at = jiff::Timestamp::from_second(self.unix - seconds_ago).unwrap_or_default();
        at.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// Writes headers, one on each line.
pub fn put(out: &mut String, headers: &[(&str, &str)]) {
    for (name, value) in headers {
        out.push_str(name);
        out.push_str(": ");
        out.push_str(value);
        out.push_str("\r\n");
    }
}

/// Writes a channel as most events and lists describe it.
pub fn channel(out: &mut String, leg: &Leg, linkedid: &str, prefix: &str) {
    // Writing to a String cannot fail.
    let mut line = |name: &str, value: &str| {
        let _ = write!(out, "{prefix}{name}: {value}\r\n");
    };
    line("Channel", &leg.name);
    line("ChannelState", state_number(leg.state));
    line("ChannelStateDesc", state_text(leg.state));
    line("CallerIDNum", known(leg.caller.number.as_ref()));
    line("CallerIDName", known(leg.caller.name.as_ref()));
    line("ConnectedLineNum", known(leg.connected.number.as_ref()));
    line("ConnectedLineName", known(leg.connected.name.as_ref()));
    line("Language", "en");
    line("AccountCode", &leg.account);
    line("Context", &leg.context);
    line("Exten", &leg.exten);
    line("Priority", &leg.priority.to_string());
    line("Uniqueid", &leg.uniqueid);
    line("Linkedid", linkedid);
}

fn side_of(out: &mut String, call: &Call, side: Side) {
    prefixed(out, call, side, "");
}

fn prefixed(out: &mut String, call: &Call, side: Side, prefix: &str) {
    if let Some(leg) = call.known_leg(side) {
        channel(out, leg, &call.id, prefix);
    }
}

fn peer(out: &mut String, call: &Call) {
    prefixed(out, call, Side::First, "");
    prefixed(out, call, Side::Peer, "Dest");
}

fn bridge(out: &mut String, call: &Call) {
    let Some(bridge) = &call.bridge else { return };
    put(
        out,
        &[
            ("BridgeUniqueid", &bridge.id),
            ("BridgeType", "basic"),
            ("BridgeTechnology", "simple_bridge"),
            ("BridgeCreator", "<unknown>"),
            ("BridgeName", "<unknown>"),
            ("BridgeNumChannels", &bridge.channels.to_string()),
            ("BridgeVideoSourceMode", "none"),
        ],
    );
}

fn response(out: &mut String, call: &Call, reason: u8) {
    let success = reason == 4;
    // A failed call is named by its dial string, a live one by its channel.
    let channel = match call.leg(Side::First) {
        Some(leg) if success => &leg.name,
        _ => &call.asked.channel,
    };
    put(
        out,
        &[
            ("ActionID", &call.asked.action_id),
            ("Response", if success { "Success" } else { "Failure" }),
            ("Channel", channel),
        ],
    );
    match &call.asked.extension {
        Some((context, exten)) => put(out, &[("Context", context), ("Exten", exten)]),
        None => put(out, &[("Application", &call.asked.application), ("Data", &call.asked.data)]),
    }
    put(
        out,
        &[
            ("Reason", &reason.to_string()),
            ("Uniqueid", &call.id),
            ("CallerIDNum", known(call.asked.caller.number.as_ref())),
            ("CallerIDName", known(call.asked.caller.name.as_ref())),
        ],
    );
}

fn cdr(out: &mut String, call: &Call, side: Side, clock: &Clock) {
    let Some(leg) = call.known_leg(side) else { return };
    let (duration, billable) = (clock.since(call.began), call.answered.map_or(0, |answered| clock.since(answered)));
    let (start, answer, end) = (clock.text(duration), clock.text(billable), clock.text(0));
    let Party { number, name } = &call.asked.caller;
    let caller_id = match (name, number) {
        (Some(name), Some(number)) => format!("\"{name}\" <{number}>"),
        (None, Some(number)) => number.clone(),
        _ => String::new(),
    };
    let other = call.known_leg(Side::Peer).filter(|_| side == Side::First).map_or("", |leg| leg.name.as_str());
    let (application, data) = match side {
        Side::First => (call.asked.application.as_str(), call.asked.data.as_str()),
        _ => (leg.application.as_str(), leg.application_data.as_str()),
    };
    put(
        out,
        &[
            ("AccountCode", &leg.account),
            ("Source", number.as_deref().unwrap_or_default()),
            ("Destination", &leg.exten),
            ("DestinationContext", &leg.context),
            ("CallerID", &caller_id),
            ("Channel", &leg.name),
            ("DestinationChannel", other),
            ("LastApplication", application),
            ("LastData", data),
            ("StartTime", &start),
            ("AnswerTime", &answer),
            ("EndTime", &end),
            ("Duration", &duration.to_string()),
            ("BillableSeconds", &billable.to_string()),
            ("Disposition", "ANSWERED"),
            ("AMAFlags", "DOCUMENTATION"),
            ("UniqueID", &leg.uniqueid),
            ("UserField", ""),
        ],
    );
}

fn known(text: Option<&String>) -> &str {
    text.map_or("<unknown>", String::as_str)
}

fn state_number(state: u8) -> &'static str {
    match state {
        0 => "0",
        4 => "4",
        5 => "5",
        7 => "7",
        _ => "6",
    }
}

fn state_text(state: u8) -> &'static str {
    match state {
        0 => "Down",
        4 => "Ring",
        5 => "Ringing",
        7 => "Busy",
        _ => "Up",
    }
}

fn cause_text(cause: u16) -> &'static str {
    match cause {
        1 => "Unallocated (unassigned) number",
        16 => "Normal Clearing",
        17 => "User busy",
        19 => "User alerting, no answer",
        21 => "Call Rejected",
        34 => "Circuit/channel congestion",
        _ => "Unknown",
    }
}
