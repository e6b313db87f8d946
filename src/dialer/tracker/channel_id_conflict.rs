//! A client's own channel id that a live channel of somebody else has: the call waits, it does not fail.
//!
//! Asterisk refuses such an Originate with nothing but an `OriginateResponse` of reason 0, which also stands for an
//! unknown endpoint; the two look alike to the byte (traces `duplicate-channel-id` and `unknown-technology`). Only the
//! live channels tell them apart, so that a look decides. It is taken when the call's own channel would have been
//! seen, had there been one. Ids that are made here are nobody else's, and are spared all this.

use std::time::Duration;

use super::{Now, Output, Tracker};
use crate::ami::event::Channel;
use crate::domain::attempt::{OVERTAKEN, Signal};
use crate::domain::commit::Withdrawal;
use crate::domain::ids::AttemptId;
use crate::domain::outcome::OriginateResult;

/// When a call whose channel id was taken is tried again.
const CONFLICT_RETRY: Duration = Duration::from_secs(5);

const WHY: &str =
    "Asterisk refused the channel id, because a live channel has it or one that begins with it; the call waits";

/// The response that is said of a taken id.
const REFUSED: OriginateResult = OriginateResult { success: false, reason: 0 };

/// Whether an attempt's channel id is another call's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelIdConflict {
    No,
    /// Its Originate was refused; its own channel may still show up.
    Maybe,
    /// The next look tells.
    Look,
}

impl Tracker {
    /// The result may be that of a channel id which is taken.
    pub(super) fn may_conflict(&self, id: AttemptId, result: OriginateResult) -> bool {
        result == REFUSED && self.live.get(&id).is_some_and(|tracked| !tracked.is_told_of(id))
    }

    pub(super) fn await_snapshot(&mut self, id: AttemptId, now: Now) {
        let Some(tracked) = self.live.get_mut(&id) else { return };
        if tracked.channel_id_conflict != ChannelIdConflict::No {
            return;
        }
        let until = now.instant + OVERTAKEN;
        tracked.channel_id_conflict = ChannelIdConflict::Maybe;
        tracked.accepted = true;
        tracked.grace_until = Some(until);
        self.next_grace = Some(self.next_grace.map_or(until, |next| next.min(until)));
        self.maybe_conflicting.insert(id);
    }

    /// A channel of the attempt's own is there, so the id is not taken. Answers a result that was held back.
    pub(super) fn appears(&mut self, id: AttemptId) -> Option<OriginateResult> {
        let tracked = self.live.get_mut(&id)?;
        tracked.appeared = true;
        tracked.channel_id_conflict = ChannelIdConflict::No;
        self.maybe_conflicting.remove(&id).then_some(REFUSED)
    }

    pub(super) fn request_snapshot(&mut self, id: AttemptId, out: &mut Output) {
        if let Some(tracked) = self.live.get_mut(&id) {
            tracked.channel_id_conflict = ChannelIdConflict::Look;
            out.request_snapshot = true;
        }
    }

    /// A channel that is none of ours is gone: it may be the one that had the id until now.
    pub(super) fn freed(&mut self, uniqueid: &str, now: Now, out: &mut Output) {
        let had = |id: &AttemptId| {
            self.live.get(id).is_some_and(|tracked| uniqueid.starts_with(&tracked.live.claim.channel_id))
        };
        let waits: Vec<AttemptId> = self.maybe_conflicting.iter().copied().filter(had).collect();
        for id in waits {
            self.put_back(id, now, out);
        }
    }

    /// The live channels show who was refused because of them, and who for another reason.
    pub(super) fn decide_about_taken_ids(&mut self, channels: &[Channel], now: Now, out: &mut Output) {
        for id in self.maybe_conflicting.clone() {
            let Some(tracked) =
                self.live.get_mut(&id).filter(|tracked| tracked.channel_id_conflict == ChannelIdConflict::Look)
            else {
                continue;
            };
            let own = &tracked.live.claim.channel_id;
            if channels.iter().any(|channel| channel.uniqueid.starts_with(own.as_str())) {
                self.put_back(id, now, out);
            } else {
                tracked.channel_id_conflict = ChannelIdConflict::No;
                self.maybe_conflicting.remove(&id);
                self.apply(id, Signal::Originated(REFUSED), now, out);
                self.apply(id, Signal::GraceOver, now, out);
            }
        }
    }

    fn put_back(&mut self, id: AttemptId, now: Now, out: &mut Output) {
        if let Some(tracked) = self.forget(id) {
            let due = Some(now.wall.plus(CONFLICT_RETRY));
            out.withdrawn.push(Withdrawal { claim: tracked.live.claim, why: WHY, due });
        }
    }
}
