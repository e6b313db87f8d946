//! Recordings: begun when the A leg is answered and known by its name, over when it is gone.

use super::{Now, Output, Tracked, Tracker, change};
use crate::domain::commit::What;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::AttemptId;
use crate::domain::time::Millis;

/// Where the recording of an attempt stands, if it is to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorder {
    /// Not asked for yet.
    Idle,
    /// Asked for; the answer is on its way.
    Asked,
    /// MixMonitor runs.
    Running,
    /// It has stopped, or could not be started.
    Over,
}

impl Tracker {
    /// What became of a recording that was asked for. A failed one is told, and the call goes on.
    pub fn mixmonitor_result(&mut self, id: AttemptId, kind: EventKind, detail: String, now: Now, out: &mut Output) {
        let Some(tracked) = self.live.get_mut(&id) else {
            // The call was over before the answer came, and with it the recording.
            let stopped = (kind == EventKind::RecordingStarted).then_some(EventKind::RecordingStopped);
            for kind in [Some(kind), stopped].into_iter().flatten() {
                out.changes.extend(self.finished.tell(id, kind, detail.clone(), now));
            }
            return;
        };
        tracked.recorder = if kind == EventKind::RecordingStarted { Recorder::Running } else { Recorder::Over };
        let gone = tracked.a_leg_gone_at.is_some();
        self.tell(id, kind, Some(detail), now, out);
        if gone {
            self.stop_recording(id, now, out);
        }
    }

    /// The recorded channel is gone, or somebody stopped its recording.
    pub(super) fn stop_recording(&mut self, id: AttemptId, now: Now, out: &mut Output) {
        if let Some(tracked) = self.live.get_mut(&id) {
            tracked.stop_recording(id, now.wall, out);
        }
    }
}

impl Tracked {
    /// Asks for the recording once the A leg is answered and its name is known.
    pub(super) fn start_recording(&mut self, id: AttemptId, out: &mut Output) {
        if self.recorder != Recorder::Idle || self.live.attempt.answered_at().is_none() {
            return;
        }
        let Some(recording) = &self.live.recording else { return };
        let Some(first) = self.a_leg().filter(|leg| !leg.gone) else { return };
        out.recordings.push((id, first.name.clone(), recording.clone()));
        self.recorder = Recorder::Asked;
    }

    pub(super) fn stop_recording(&mut self, id: AttemptId, at: Millis, out: &mut Output) {
        if self.recorder != Recorder::Running {
            return;
        }
        self.recorder = Recorder::Over;
        let status = self.live.attempt.status();
        let detail = self.live.recording.as_ref().map(|recording| recording.path.clone());
        let what = What::Told { kind: EventKind::RecordingStopped, status, detail };
        out.changes.push(change(id, &self.live, at, what));
    }
}
