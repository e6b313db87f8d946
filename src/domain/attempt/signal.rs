//! What may happen to an attempt.

use std::time::Duration;

use super::evidence::{DialStatus, OriginateResult};
use super::legs::LiveLeg;
use crate::domain::cause::Cause;
use crate::domain::cdr::Cdr;

/// Something that happens to an attempt. Any signal may be received at any time, and more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Asterisk accepted the Originate in its direct answer.
    Accepted,
    /// Asterisk refused the Originate in its direct answer, with this text.
    Refused { text: String },
    /// Newchannel: a channel of the call was created.
    LegAppeared { uniqueid: String, name: String },
    /// Newstate: the A leg has this name and state.
    StateChanged { name: String, state: ALegState },
    /// DialState: the A leg rings.
    Ringing,
    /// DialEnd: dialing the A leg ended.
    DialEnded(DialStatus),
    /// OriginateResponse: the Originate ended with this result, on the A leg of this name.
    Originated { result: OriginateResult, channel: String },
    /// BridgeEnter: two legs hear one another.
    Bridged,
    /// Hangup: a channel of the call is gone.
    LegGone { uniqueid: String, cause: Cause },
    /// Cdr: a CDR of the A leg. It says how the leg ended, but not that it is gone.
    CdrReceived(Cdr),
    /// The connection to Asterisk was lost: what happens until the next channel snapshot is not seen.
    ConnectionLost,
    /// A channel snapshot lists these legs of the call, and its A leg in this state.
    Found { legs: Vec<LiveLeg>, a_leg: ALegState },
    /// A channel snapshot lists no leg of the call.
    Missing,
    /// The server was away for so long that no channel snapshot is waited for any more.
    Abandoned,
    /// A live channel of another call has the client's channel id, or had it until now.
    ChannelIdTaken,
    /// A channel snapshot lists no channel of another call that has the client's channel id.
    ChannelIdFree,
    /// The time of the last [`Effect::ExpectMore`](super::Effect::ExpectMore) has passed.
    GraceOver,
    /// Time has passed: what is due at [`Attempt::is_due`](super::Attempt::is_due) is done.
    Tick,
    /// A client wants the call to end.
    EndRequested,
    /// The call has taken as long as it may, which is this time.
    Overlong { longest: Duration },
    /// MixMonitor answered: with the recording's path if it records, or why it does not.
    MixMonitorAnswered(Result<String, String>),
    /// MixMonitorStop: the recording of the A leg was stopped.
    MixMonitorStopped,
    /// UserEvent: the dialplan reported this text about the call.
    Noted(String),
}

/// The state of an A leg, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ALegState {
    /// The A leg rings.
    Ringing,
    /// The A leg is answered.
    Up,
    /// The A leg is in any other state, or is gone.
    Other,
}

impl Signal {
    /// The AMI event that the signal stands for, if it stands for an event that concerns the call's progress.
    pub(super) const fn event(&self) -> Option<&'static str> {
        match self {
            Self::LegAppeared { .. } => Some("Newchannel"),
            Self::StateChanged { .. } => Some("Newstate"),
            Self::Ringing => Some("DialState"),
            Self::DialEnded(_) => Some("DialEnd"),
            Self::Originated { .. } => Some("OriginateResponse"),
            Self::Bridged => Some("BridgeEnter"),
            Self::LegGone { .. } => Some("Hangup"),
            Self::CdrReceived(_) => Some("Cdr"),
            Self::Accepted
            | Self::Refused { .. }
            | Self::ConnectionLost
            | Self::Found { .. }
            | Self::Missing
            | Self::Abandoned
            | Self::ChannelIdTaken
            | Self::ChannelIdFree
            | Self::GraceOver
            | Self::Tick
            | Self::EndRequested
            | Self::Overlong { .. }
            | Self::MixMonitorAnswered(_)
            | Self::MixMonitorStopped
            | Self::Noted(_) => None,
        }
    }
}
