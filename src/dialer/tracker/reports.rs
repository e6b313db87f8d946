//! What the dialplan reports by `UserEvent(Trunkline,…)`: a note on the call's timeline.

use super::{Now, Output, Tracker};
use crate::domain::event_kind::EventKind;
use crate::domain::ids::CallId;
use crate::domain::note::{self, Note};

/// The header that names the call.
const CALL_ID: &str = "CallId";

impl Tracker {
    /// A report names its call by its id, or is about the call that its channel belongs to. What names no call, and
    /// what a channel says of another client's call, is passed over.
    pub(super) fn report(
        &mut self,
        uniqueid: &str,
        linkedid: &str,
        headers: &[(String, String)],
        now: Now,
        out: &mut Output,
    ) {
        let of_channel = self.of_leg(uniqueid, linkedid).and_then(|id| Some(self.live.get(&id)?.live.claim.call));
        let named = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(CALL_ID));
        let call: Option<CallId> = match named {
            Some((_, text)) => text.parse().ok(),
            None => of_channel.map(|call| call.id),
        };
        let Some(call) = call else { return };
        let client_id = of_channel.map(|call| call.client_id);
        let others = headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(CALL_ID));
        let text = note::text(others.map(|(name, value)| (name.as_str(), value.as_str())));
        let Some(id) = self.by_call.get(&call).copied() else {
            out.notes.push(Note { call, client_id, at: now.wall, text });
            return;
        };
        let Some(tracked) = self.live.get_mut(&id) else { return };
        let anothers = client_id.is_some_and(|client| client != tracked.live.claim.call.client_id);
        if anothers || tracked.notes >= note::MOST {
            return;
        }
        tracked.notes += 1;
        self.tell(id, EventKind::Note, Some(text), now, out);
    }
}
