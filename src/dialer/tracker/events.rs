//! What Asterisk says: which attempt it is about, and what it means for that.

use super::{Now, Output, Tracker};
use crate::ami::Event;
use crate::ami::event::{Channel, RINGING, UP};
use crate::domain::attempt::Signal;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::AttemptId;
use crate::domain::outcome::OriginateResult;

impl Tracker {
    /// Asterisk answered an Originate.
    pub fn response(&mut self, id: AttemptId, success: bool, text: &str, now: Now, out: &mut Output) {
        if success {
            if let Some(tracked) = self.live.get_mut(&id) {
                tracked.accepted = true;
            }
            return;
        }
        self.tell(id, EventKind::Note, Some(format!("Asterisk refused the Originate: {text}")), now, out);
        self.apply(id, Signal::Refused, now, out);
    }

    /// Something happened on the server, to a call of this lane or not.
    pub fn event(&mut self, event: Event, now: Now, out: &mut Output) {
        match event {
            Event::Newchannel(channel) => self.new_leg(channel, now, out),
            Event::Newstate(channel) => self.new_state(&channel, now, out),
            Event::DialState { dest_uniqueid, ringing } => {
                if let Some(id) = self.a_leg(&dest_uniqueid)
                    && ringing
                {
                    self.heard(id, "DialState", now);
                    self.apply(id, Signal::Ringing, now, out);
                }
            }
            Event::DialEnd { dest_uniqueid, status } => {
                if let Some(id) = self.a_leg(&dest_uniqueid) {
                    self.heard(id, "DialEnd", now);
                    self.apply(id, Signal::DialEnded(status), now, out);
                }
            }
            Event::OriginateResponse { action_id, uniqueid, channel, success, reason } => {
                // By ActionID first: a failed one may carry no usable Uniqueid.
                let by_action = action_id.parse().ok().filter(|id| self.live.contains_key(id));
                if let Some(id) = by_action.or_else(|| self.a_leg(&uniqueid)) {
                    self.originated(id, channel, OriginateResult { success, reason }, now, out);
                }
            }
            Event::BridgeEnter { uniqueid, linkedid, channels } => {
                if let Some(id) = self.of_leg(&uniqueid, &linkedid)
                    && channels >= 2
                {
                    self.heard(id, "BridgeEnter", now);
                    self.apply(id, Signal::Bridged, now, out);
                }
            }
            Event::Hangup { uniqueid, linkedid, cause } => {
                if let Some(id) = self.of_leg(&uniqueid, &linkedid) {
                    self.heard(id, "Hangup", now);
                    self.leg_gone(id, &uniqueid, now, out);
                    self.apply(id, Signal::LegGone { uniqueid, cause }, now, out);
                } else {
                    self.freed(&uniqueid, now, out);
                }
            }
            Event::Cdr { uniqueid, record } => self.cdr_received(&uniqueid, &record, now, out),
            Event::MixMonitorStop { uniqueid } => {
                if let Some(id) = self.a_leg(&uniqueid) {
                    self.stop_recording(id, now, out);
                }
            }
            Event::UserEvent { uniqueid, linkedid, headers } => {
                self.report(&uniqueid, &linkedid, &headers, now, out);
            }
            Event::CoreShowChannel(_) | Event::Other(_) => {}
        }
    }

    fn new_leg(&mut self, channel: Channel, now: Now, out: &mut Output) {
        let Channel { name, uniqueid, linkedid, .. } = channel;
        let Some(id) = self.of_new_leg(&uniqueid, &linkedid) else { return };
        self.heard(id, "Newchannel", now);
        self.by_leg.insert(uniqueid.clone(), id);
        self.name_leg(id, &uniqueid, name);
        let refused_before = self.appears(id);
        self.apply(id, Signal::LegAppeared { uniqueid }, now, out);
        if let Some(result) = refused_before {
            self.apply(id, Signal::Originated(result), now, out);
        }
        self.hang_up_if_requested(id, now, out);
    }

    fn new_state(&mut self, channel: &Channel, now: Now, out: &mut Output) {
        let Some(id) = self.a_leg(&channel.uniqueid) else { return };
        self.heard(id, "Newstate", now);
        self.name_leg(id, &channel.uniqueid, channel.name.clone());
        match channel.state {
            RINGING => self.apply(id, Signal::Ringing, now, out),
            UP => self.apply(id, Signal::Up, now, out),
            _ => {}
        }
    }

    fn originated(&mut self, id: AttemptId, channel: String, result: OriginateResult, now: Now, out: &mut Output) {
        self.heard(id, "OriginateResponse", now);
        if self.may_conflict(id, result) {
            self.await_snapshot(id, now);
            return;
        }
        if result.success {
            let first = self.live.get(&id).map(|tracked| tracked.live.claim.channel_id.clone());
            self.name_leg(id, &first.unwrap_or_default(), channel);
        }
        self.apply(id, Signal::Originated(result), now, out);
    }

    fn leg_gone(&mut self, id: AttemptId, uniqueid: &str, now: Now, out: &mut Output) {
        let Some(tracked) = self.live.get_mut(&id) else { return };
        if let Some(leg) = tracked.legs.iter_mut().find(|leg| leg.uniqueid == uniqueid) {
            leg.gone = true;
        }
        if tracked.live.claim.channel_id == uniqueid {
            tracked.a_leg_gone_at.get_or_insert(now.wall);
            self.stop_recording(id, now, out);
        }
    }
}
