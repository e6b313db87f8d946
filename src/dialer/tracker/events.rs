//! AMI messages: which attempt each one is about, and which signal it is for that attempt.

use super::{Output, Tracker};
use crate::ami::Event;
use crate::ami::event::{Channel, RINGING, UP};
use crate::domain::attempt::{ALegState, OriginateResult, Signal};
use crate::domain::cdr::Cdr;
use crate::domain::ids::{AttemptId, CallId};
use crate::domain::time::Now;

impl Tracker {
    /// Takes in Asterisk's direct answer to an Originate.
    pub fn response(&mut self, id: AttemptId, success: bool, text: &str, now: Now, out: &mut Output) {
        let signal = if success { Signal::Accepted } else { Signal::Refused { text: text.to_owned() } };
        self.apply(id, signal, now, out);
    }

    /// Takes in a client's request to end a call. Returns false if the call is not live here.
    pub fn request_end(&mut self, call: CallId, now: Now, out: &mut Output) -> bool {
        let Some(id) = self.by_call.get(&call).copied() else { return false };
        self.apply(id, Signal::EndRequested, now, out);
        true
    }

    /// Takes in MixMonitor's answer: the recording's path, or why it was not started. A failure is an event of the call,
    /// and the call goes on.
    pub fn mixmonitor_result(&mut self, id: AttemptId, answer: Result<String, String>, now: Now, out: &mut Output) {
        if self.live.contains_key(&id) {
            self.apply(id, Signal::MixMonitorAnswered(answer), now, out);
        } else {
            out.group.changes.extend(self.finished.mixmonitor_answered(id, &answer, now.wall));
        }
    }

    /// Takes in an event, which may concern a call of this lane or any other.
    pub fn event(&mut self, event: Event, now: Now, out: &mut Output) {
        match event {
            Event::Newchannel(channel) => self.new_leg(channel, now, out),
            Event::Newstate(Channel { name, uniqueid, state, .. }) => {
                self.about_a_leg(&uniqueid, Signal::StateChanged { name, state: a_leg_state(state) }, now, out);
            }
            Event::DialState { dest_uniqueid, ringing } => {
                if ringing {
                    self.about_a_leg(&dest_uniqueid, Signal::Ringing, now, out);
                }
            }
            Event::DialEnd { dest_uniqueid, status } => {
                self.about_a_leg(&dest_uniqueid, Signal::DialEnded(status), now, out);
            }
            Event::OriginateResponse { action_id, uniqueid, channel, success, reason } => {
                // By ActionID first: a failed one may carry no usable Uniqueid.
                let by_action = action_id.parse().ok().filter(|id| self.live.contains_key(id));
                if let Some(id) = by_action.or_else(|| self.of_a_leg(&uniqueid)) {
                    let result = OriginateResult { success, reason };
                    self.apply(id, Signal::Originated { result, channel }, now, out);
                }
            }
            Event::BridgeEnter { uniqueid, linkedid, channels } => {
                if let Some(id) = self.of_leg(&uniqueid, &linkedid)
                    && channels >= 2
                {
                    self.apply(id, Signal::Bridged, now, out);
                }
            }
            Event::Hangup { uniqueid, linkedid, cause } => match self.of_leg(&uniqueid, &linkedid) {
                Some(id) => self.apply(id, Signal::LegGone { uniqueid, cause }, now, out),
                None => self.foreign_channel_gone(&uniqueid, now, out),
            },
            Event::Cdr { uniqueid, record } => self.cdr_received(&uniqueid, record, now, out),
            Event::MixMonitorStop { uniqueid } => self.about_a_leg(&uniqueid, Signal::MixMonitorStopped, now, out),
            Event::UserEvent { uniqueid, linkedid, headers } => {
                self.report(&uniqueid, &linkedid, &headers, now, out);
            }
            Event::CoreShowChannel(_) | Event::Other(_) => {}
        }
    }

    fn about_a_leg(&mut self, uniqueid: &str, signal: Signal, now: Now, out: &mut Output) {
        if let Some(id) = self.of_a_leg(uniqueid) {
            self.apply(id, signal, now, out);
        }
    }

    fn new_leg(&mut self, channel: Channel, now: Now, out: &mut Output) {
        let Channel { name, uniqueid, linkedid, .. } = channel;
        if let Some(id) = self.of_new_leg(&uniqueid, &linkedid) {
            self.by_leg.insert(uniqueid.clone(), id);
            self.apply(id, Signal::LegAppeared { uniqueid, name }, now, out);
        }
    }

    /// A channel of no call of this lane is gone. It may be the one that had a client's channel id until now.
    fn foreign_channel_gone(&mut self, uniqueid: &str, now: Now, out: &mut Output) {
        let had = |id: &AttemptId| {
            self.live.get(id).is_some_and(|live| uniqueid.starts_with(&live.attempt.claim().channel_id))
        };
        let taken: Vec<AttemptId> = self.maybe_conflicting.iter().copied().filter(had).collect();
        for id in taken {
            self.apply(id, Signal::ChannelIdTaken, now, out);
        }
    }

    /// Only the CDRs of A legs tell of the call. They are received before the Hangup or after it.
    fn cdr_received(&mut self, uniqueid: &str, cdr: Cdr, now: Now, out: &mut Output) {
        match self.of_a_leg(uniqueid) {
            Some(id) => self.apply(id, Signal::CdrReceived(cdr), now, out),
            None => out.group.changes.extend(self.finished.cdr_received(uniqueid, &cdr, now)),
        }
    }
}

/// The state of an A leg, by its channel's state.
pub(super) fn a_leg_state(channel_state: u8) -> ALegState {
    match channel_state {
        RINGING => ALegState::Ringing,
        UP => ALegState::Up,
        _ => ALegState::Other,
    }
}
