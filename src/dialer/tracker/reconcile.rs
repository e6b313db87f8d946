//! Looks at the live channels: what becomes of attempts that are in doubt.

use std::time::Duration;

use super::{Now, Output, Tracker};
use crate::ami::event::{Channel, RINGING, UP};
use crate::domain::attempt::Signal;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::AttemptId;

/// How often a look is taken for a call that is answered, or longer alive than it should be.
pub(super) const LONG_LIFE: Duration = Duration::from_secs(600);

/// How long a server may be away until nobody waits any more for what lived on it. Longer than nearly all calls, so that
/// one which still lives when its server is seen again is rare; short enough that a server which is gone for good can be
/// removed, and that limits of clients which its calls fill hold nobody up for ever.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// Whether an attempt still lives is in doubt: the connection was lost, or it takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Liveness {
    None,
    /// The next look tells. `lost` where the connection was lost, so that being found is worth telling.
    Look {
        lost: bool,
    },
    /// One look did not find it. An Originate that was sent just before may not have made its channel then.
    MissedOnce {
        lost: bool,
    },
    /// No look will tell any more.
    Abandoned,
}

impl Tracker {
    /// The channels that live now, all of them: decides about every attempt in doubt.
    pub fn reconcile(&mut self, channels: &[Channel], now: Now, out: &mut Output) {
        self.blind_since = None;
        self.decide_about_taken_ids(channels, now, out);
        let mut doubtful: Vec<AttemptId> =
            self.live.iter().filter(|(_, tracked)| tracked.liveness != Liveness::None).map(|(id, _)| *id).collect();
        doubtful.sort_unstable();
        for id in doubtful {
            self.judge(id, channels, now, out);
        }
    }

    fn judge(&mut self, id: AttemptId, channels: &[Channel], now: Now, out: &mut Output) {
        let Some(tracked) = self.live.get_mut(&id) else { return };
        let own = tracked.live.claim.channel_id.clone();
        // A leg that outlived the first may have been linked to another call since.
        let known = |channel: &Channel| tracked.legs.iter().any(|leg| leg.uniqueid == channel.uniqueid);
        let belongs = |channel: &&Channel| channel.uniqueid == own || channel.linkedid == own || known(channel);
        let legs: Vec<&Channel> = channels.iter().filter(belongs).collect();
        let (lost, missed) = match tracked.liveness {
            Liveness::None | Liveness::Abandoned => return,
            Liveness::Look { lost } => (lost, false),
            Liveness::MissedOnce { lost } => (lost, true),
        };
        if legs.is_empty() {
            if missed {
                self.apply(id, Signal::Missing, now, out);
            } else {
                tracked.liveness = Liveness::MissedOnce { lost };
            }
            return;
        }
        tracked.liveness = Liveness::None;
        tracked.appeared = true;
        tracked.snapshot_at = now.instant + LONG_LIFE;
        let first = legs.iter().find(|leg| leg.uniqueid == own);
        for leg in &mut tracked.legs {
            leg.gone = !legs.iter().any(|found| found.uniqueid == leg.uniqueid);
        }
        let found = Signal::Found {
            legs: legs.iter().map(|leg| leg.uniqueid.clone()).collect(),
            up: first.is_some_and(|leg| leg.state == UP),
            ringing: first.is_some_and(|leg| leg.state == RINGING),
        };
        for leg in &legs {
            self.by_leg.insert(leg.uniqueid.clone(), id);
            self.name_leg(id, &leg.uniqueid, leg.name.clone());
        }
        if lost {
            self.tell(id, EventKind::Adopted, None, now, out);
        }
        self.apply(id, found, now, out);
        self.hang_up_if_requested(id, now, out);
    }

    /// Time passes: attempts that take too long come in doubt, and what was hung up and still lives is hung up again.
    /// True where a look is due.
    pub fn tick(&mut self, now: Now, out: &mut Output) -> bool {
        if let Some(since) = self.blind_since.filter(|since| since.instant + ABANDONED_AFTER <= now.instant) {
            self.forsake(since, now, out);
        }
        let mut look = !self.maybe_conflicting.is_empty();
        for tracked in self.live.values_mut() {
            if tracked.liveness == Liveness::None && tracked.snapshot_at <= now.instant {
                tracked.liveness = Liveness::Look { lost: false };
            }
            look |= tracked.liveness != Liveness::None;
        }
        self.hang_up_again(now, out);
        self.finished.drop_old(now.instant);
        look
    }

    /// Ends all that lived when the server was seen last, as of that moment: nobody is billed for the time since.
    fn forsake(&mut self, since: Now, now: Now, out: &mut Output) {
        let mut forsaken: Vec<AttemptId> = self.live.keys().copied().collect();
        forsaken.sort_unstable();
        for id in forsaken {
            if let Some(tracked) = self.live.get_mut(&id) {
                tracked.liveness = Liveness::Abandoned;
            }
            self.apply(id, Signal::Missing, Now { wall: since.wall, ..now }, out);
        }
    }
}
