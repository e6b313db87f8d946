//! The two directions in which messages go.

/// The direction in which a message goes. The same message may have another schema each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// The client sends it: nothing unknown, `null` for what may be absent, and every rule.
    Request,
    /// The server sends it: what is always there is required; a field that is unknown to a client may be added one day.
    Answer,
}
