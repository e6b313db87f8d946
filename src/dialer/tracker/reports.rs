//! Reports of the dialplan by `UserEvent(Trunkline,…)`: each is a note on a call's timeline.

use super::{Output, Tracker};
use crate::domain::attempt::Signal;
use crate::domain::ids::CallId;
use crate::domain::note::{self, Note};
use crate::domain::time::Now;

/// The header that names the call.
const CALL_ID: &str = "CallId";

impl Tracker {
    /// Takes in a report. It names its call by the call's id, or is about the call that its channel belongs to. A report
    /// that names no call is passed over, and so is what a channel says of another client's call.
    pub(super) fn report(
        &mut self,
        uniqueid: &str,
        linkedid: &str,
        headers: &[(String, String)],
        now: Now,
        out: &mut Output,
    ) {
        let of_channel = self.of_leg(uniqueid, linkedid).and_then(|id| Some(self.live.get(&id)?.attempt.claim().call));
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
            out.group.notes.push(Note { call, client_id, at: now.wall, text });
            return;
        };
        let Some(live) = self.live.get(&id) else { return };
        if client_id.is_none_or(|client| client == live.attempt.claim().call.client_id) {
            self.apply(id, Signal::Noted(text), now, out);
        }
    }
}
