//! Whether an attempt still lives, when no message proves it: a channel snapshot has to miss it twice.

use std::time::{Duration, Instant};

/// How long an attempt that was not answered may take beyond its ring time before a channel snapshot has to find it.
const BEYOND_RINGING: Duration = Duration::from_secs(10);

/// How often a channel snapshot has to find a call that is answered, or that lives longer than it should.
const LONG_LIFE: Duration = Duration::from_secs(600);

/// Whether an attempt still lives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Liveness {
    doubt: Doubt,
    /// When the attempt comes in doubt unless a channel snapshot finds it.
    snapshot_at: Instant,
}

/// How much an attempt is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Messages about the attempt are expected and received.
    No,
    /// The next channel snapshot decides.
    Unconfirmed {
        /// The connection was lost, so that finding the attempt is an event of its own.
        lost: bool,
    },
    /// One channel snapshot did not list the attempt. That is no proof yet: an Originate that was sent just before the
    /// snapshot may not have created its channel by then.
    MissedOnce {
        /// The connection was lost, as for [`Doubt::Unconfirmed`].
        lost: bool,
    },
}

impl Liveness {
    /// The liveness of an attempt whose Originate is sent now, and that may ring for this time.
    pub(super) fn begin(timeout: Duration, now: Instant) -> Self {
        Self { doubt: Doubt::No, snapshot_at: now + timeout + BEYOND_RINGING }
    }

    /// The liveness of an attempt that an earlier lane began.
    pub(super) fn resume(now: Instant) -> Self {
        Self { doubt: Doubt::Unconfirmed { lost: true }, snapshot_at: now }
    }

    pub(super) fn doubt(self) -> Doubt {
        self.doubt
    }

    /// Notes that a message proves that the attempt lives.
    pub(super) fn seen(&mut self) {
        self.doubt = Doubt::No;
    }

    /// Notes that the A leg was answered.
    pub(super) fn answered(&mut self, now: Instant) {
        self.snapshot_at = now + LONG_LIFE;
    }

    /// Notes that the connection was lost.
    pub(super) fn connection_lost(&mut self) {
        self.doubt = Doubt::Unconfirmed { lost: true };
    }

    /// Notes that a channel snapshot lists the attempt. Returns true if the connection had been lost.
    pub(super) fn found(&mut self, now: Instant) -> bool {
        self.snapshot_at = now + LONG_LIFE;
        match std::mem::replace(&mut self.doubt, Doubt::No) {
            Doubt::No => false,
            Doubt::Unconfirmed { lost } | Doubt::MissedOnce { lost } => lost,
        }
    }

    /// Notes that a channel snapshot does not list the attempt. Returns true if that proves that nothing of it lives.
    pub(super) fn missed(&mut self) -> bool {
        match self.doubt {
            Doubt::No => false,
            Doubt::Unconfirmed { lost } => {
                self.doubt = Doubt::MissedOnce { lost };
                false
            }
            Doubt::MissedOnce { .. } => true,
        }
    }

    /// Returns true if the attempt has lived for so long that a channel snapshot has to find it.
    pub(super) fn is_due(self, now: Instant) -> bool {
        self.doubt == Doubt::No && self.snapshot_at <= now
    }

    /// Brings the attempt in doubt if a channel snapshot has to find it.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.is_due(now) {
            self.doubt = Doubt::Unconfirmed { lost: false };
        }
    }
}
