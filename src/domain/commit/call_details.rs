//! What the events of a call say about it, so that no watcher has to read the call.

use crate::domain::labels::Labels;

/// Who a call is for and what it dials. A lane has it in memory, so that a commit need not read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallDetails {
    /// The number of the called person, as the client gave it.
    pub contact_number: Option<i64>,
    /// The channel that is dialed.
    pub channel: String,
    /// The client's own labels of the call.
    pub labels: Labels,
}
