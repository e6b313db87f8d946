//! Requests of clients to end calls that they placed.

use super::ids::CallId;
use super::status::UnknownCode;

/// A client's request to end a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndRequest {
    /// Ends a call that has not been answered.
    Cancel = 1,
    /// Ends a call that is live.
    HangUp = 2,
}

/// An [`EndRequest`] that the call's lane has to carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// The call that is to end.
    pub call: CallId,
    /// How it is to end.
    pub request: EndRequest,
}

impl EndRequest {
    /// Returns the code that the store keeps.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Returns the text of the event that reports the request.
    #[must_use]
    pub const fn event_text(self) -> &'static str {
        match self {
            Self::Cancel => "the client canceled the call; it is being hung up",
            Self::HangUp => "the client ends the call; it is being hung up",
        }
    }
}

impl TryFrom<i16> for EndRequest {
    type Error = UnknownCode;

    fn try_from(code: i16) -> Result<Self, UnknownCode> {
        match code {
            1 => Ok(Self::Cancel),
            2 => Ok(Self::HangUp),
            code => Err(UnknownCode::new("EndRequest", code)),
        }
    }
}
