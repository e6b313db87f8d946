//! Call detail records (CDRs): what Asterisk itself says of how a call ended and how long it lasted.

/// How a CDR says that its channel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The channel was answered.
    Answered,
    /// The channel was busy.
    Busy,
    /// The channel was not answered. A CDR that knows nothing better says the same.
    NoAnswer,
    /// The network or the trunk was congested.
    Congestion,
    /// The disposition is any other.
    Other,
}

/// One CDR of one channel. Asterisk writes a CDR for each party that the channel spoke with, so that a channel that was
/// transferred has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cdr {
    /// How the channel ended.
    pub disposition: Disposition,
    /// Seconds since the answer, as Asterisk counts and rounds them.
    pub billable_seconds: i32,
    /// When the channel was answered, in seconds of the server's own clock: good for differences alone.
    pub answered: Option<i64>,
    /// When the channel ended, by the same clock.
    pub ended: Option<i64>,
}
