//! Channel snapshots, and the time that passes without one: which attempts they concern.

use std::time::Duration;

use super::{Live, Output, Tracker};
use crate::ami::event::Channel;
use crate::domain::attempt::{ALegState, Attempt, LiveLeg, Signal};
use crate::domain::ids::AttemptId;
use crate::domain::time::Now;

use super::events::a_leg_state;

/// How long a server may be away before the calls that lived on it are given up. Longer than nearly all calls, so that
/// a call that still lives when its server is seen again is rare. Short enough that a server that is gone for good can
/// be removed, and that its calls do not fill their clients' limits for ever.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

impl Tracker {
    /// Takes in a channel snapshot, which lists all live channels: decides about every attempt that awaits one.
    pub fn reconcile(&mut self, channels: &[Channel], now: Now, out: &mut Output) {
        self.blind_since = None;
        for id in self.maybe_conflicting.clone() {
            let Some(attempt) = self.live.get(&id).map(|live| &live.attempt) else { continue };
            if attempt.awaits_conflict_snapshot() {
                let own = attempt.claim().channel_id.as_str();
                let is_taken = channels.iter().any(|channel| channel.uniqueid.starts_with(own));
                let signal = if is_taken { Signal::ChannelIdTaken } else { Signal::ChannelIdFree };
                self.apply(id, signal, now, out);
            }
        }
        for id in self.sorted(Attempt::is_in_doubt) {
            self.look_for(id, channels, now, out);
        }
    }

    fn look_for(&mut self, id: AttemptId, channels: &[Channel], now: Now, out: &mut Output) {
        let Some(attempt) = self.live.get(&id).map(|live| &live.attempt) else { return };
        let own = attempt.claim().channel_id.as_str();
        // A leg that outlived the A leg may have been linked to another call since.
        let belongs = |channel: &&Channel| {
            channel.uniqueid == own || channel.linkedid == own || attempt.has_leg(&channel.uniqueid)
        };
        let found: Vec<&Channel> = channels.iter().filter(belongs).collect();
        if found.is_empty() {
            return self.apply(id, Signal::Missing, now, out);
        }
        let a_leg = found.iter().find(|channel| channel.uniqueid == own);
        let a_leg = a_leg.map_or(ALegState::Other, |channel| a_leg_state(channel.state));
        let leg = |channel: &&Channel| LiveLeg { uniqueid: channel.uniqueid.clone(), name: channel.name.clone() };
        let legs: Vec<LiveLeg> = found.iter().map(leg).collect();
        for leg in &legs {
            self.by_leg.insert(leg.uniqueid.clone(), id);
        }
        self.apply(id, Signal::Found { legs, a_leg }, now, out);
    }

    /// Takes in that the connection was lost: what happens from now on is not seen.
    pub fn connection_lost(&mut self, now: Now, out: &mut Output) {
        self.blind_since.get_or_insert(now);
        self.unanswered.clear();
        for id in self.sorted(|_| true) {
            self.apply(id, Signal::ConnectionLost, now, out);
        }
    }

    /// Takes in that time has passed: attempts that take too long come in doubt, calls that have taken their longest
    /// time are hung up, and calls that still live after a hangup are hung up again. Returns true if a channel snapshot is due.
    pub fn tick(&mut self, now: Now, out: &mut Output) -> bool {
        if let Some(since) = self.blind_since.filter(|since| since.instant + ABANDONED_AFTER <= now.instant) {
            // As of the moment when the server was seen last: the time since is not billed.
            for id in self.sorted(|_| true) {
                self.apply(id, Signal::Abandoned, Now { wall: since.wall, ..now }, out);
            }
        }
        for id in self.sorted(|attempt| attempt.is_due(now.instant)) {
            self.apply(id, Signal::Tick, now, out);
        }
        let longest = |live: &Live| self.longest.of(live.attempt.claim().call);
        let overlong = self.live.iter().filter(|(_, live)| live.attempt.is_overlong(longest(live), now.instant));
        let overlong: Vec<(AttemptId, Duration)> = overlong.map(|(id, live)| (*id, longest(live))).collect();
        for (id, longest) in overlong {
            self.apply(id, Signal::Overlong { longest }, now, out);
        }
        self.finished.drop_old(now.instant);
        !self.maybe_conflicting.is_empty() || self.live.values().any(|live| live.attempt.is_in_doubt())
    }
}
