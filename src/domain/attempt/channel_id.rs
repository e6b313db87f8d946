//! Whether an attempt's channel id belongs to the attempt, or to another call that is live on the server.
//!
//! If a live channel has the client's channel id, Asterisk refuses the Originate with nothing but an OriginateResponse
//! of reason 0. It says the same of an unknown endpoint, byte for byte (traces `duplicate-channel-id` and
//! `unknown-technology`). Only the live channels tell the two apart, so a channel snapshot decides. It is requested
//! after [`OVERTAKEN`](super::OVERTAKEN), when the call's own channel would have been seen. With another call's channel
//! on the server, the call waits and does not fail. Ids that Trunkline made belong to no other call.

use std::time::Duration;

use super::evidence::OriginateResult;
use crate::domain::commit::Claim;
use crate::domain::ids;

/// How long a call waits before it is tried again because another channel has its channel id.
pub(super) const CONFLICT_RETRY: Duration = Duration::from_secs(5);

/// The reason on the call's timeline for a try that was taken back.
pub(super) const WHY: &str =
    "Asterisk refused the channel id, because a live channel has it or one that begins with it; the call waits";

/// The OriginateResponse of a channel id that another live channel has.
pub(super) const REFUSED: OriginateResult = OriginateResult { success: false, reason: 0 };

/// Where an attempt's channel id is from, and so whether messages about that channel are about the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelId {
    /// Trunkline made the id from the attempt's own id.
    Made,
    /// The client chose the id.
    Clients {
        /// The attempt's own channel was seen. Before that, a message may be about another call's channel.
        appeared: bool,
        /// Whether another call may have the id.
        conflict: Conflict,
    },
}

/// Whether a live channel of another call may have the client's channel id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    /// Nothing suggests that another call has the id.
    No,
    /// The Originate was refused; the attempt's own channel may still appear.
    Possible,
    /// The next channel snapshot decides.
    SnapshotRequested,
}

impl ChannelId {
    pub(super) fn of(claim: &Claim) -> Self {
        if claim.channel_id == ids::channel_id(None, claim.attempt, 1) {
            Self::Made
        } else {
            Self::Clients { appeared: false, conflict: Conflict::No }
        }
    }

    /// Returns true if messages about the channel are about the attempt.
    pub(super) fn is_own(self) -> bool {
        matches!(self, Self::Made | Self::Clients { appeared: true, .. })
    }

    /// Returns true if an OriginateResponse may say no more than that another call has the id.
    pub(super) fn may_be_refused_by(self, result: OriginateResult) -> bool {
        result == REFUSED && !self.is_own()
    }

    pub(super) fn conflict(self) -> Conflict {
        match self {
            Self::Made => Conflict::No,
            Self::Clients { conflict, .. } => conflict,
        }
    }

    /// Notes that the Originate was refused. Returns true if nothing suggested a conflict until now.
    pub(super) fn refused(&mut self) -> bool {
        self.go(Conflict::No, Conflict::Possible)
    }

    /// Notes that the attempt's own channel did not appear in time. Returns true if a channel snapshot has to decide.
    pub(super) fn grace_over(&mut self) -> bool {
        if let Self::Clients { conflict, .. } = self
            && *conflict != Conflict::No
        {
            *conflict = Conflict::SnapshotRequested;
        }
        self.conflict() == Conflict::SnapshotRequested
    }

    /// Notes that no other call has the id. Returns true if a channel snapshot had to decide that.
    pub(super) fn free(&mut self) -> bool {
        self.go(Conflict::SnapshotRequested, Conflict::No)
    }

    /// Notes that a channel snapshot lists a channel of the attempt.
    pub(super) fn found(&mut self) {
        if let Self::Clients { appeared, .. } = self {
            *appeared = true;
        }
    }

    /// Notes that a channel of the attempt was created, so that no other call has the id. Returns true if a conflict
    /// was possible until now.
    pub(super) fn appeared(&mut self) -> bool {
        let was = self.conflict();
        if let Self::Clients { appeared, conflict } = self {
            (*appeared, *conflict) = (true, Conflict::No);
        }
        was != Conflict::No
    }

    fn go(&mut self, from: Conflict, to: Conflict) -> bool {
        match self {
            Self::Clients { conflict, .. } if *conflict == from => {
                *conflict = to;
                true
            }
            Self::Made | Self::Clients { .. } => false,
        }
    }
}
