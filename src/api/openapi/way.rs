//! The two directions in which messages are sent.

/// The direction in which a message is sent, which decides how strict its schema is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// A client sends the message. The schema holds every rule, allows `null` for fields that may be absent, and
    /// refuses unknown fields.
    Request,
    /// The server sends the message. The schema requires the fields that are always present, and allows unknown ones,
    /// because a later version may add some.
    Answer,
}
