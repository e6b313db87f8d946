//! The MixMonitor recording of an attempt: started after the answer, over when the A leg is gone.

use crate::domain::event_kind::EventKind;
use crate::domain::originate::Recording;

/// An event and its detail.
type Event = (EventKind, Option<String>);

/// The state of an attempt's MixMonitor recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recorder {
    /// The call is not recorded.
    Off,
    /// The recording is started as soon as the A leg is answered and its name is known.
    Idle(Recording),
    /// Asterisk was asked to start the recording, and has not answered.
    Asked(Recording),
    /// MixMonitor is recording the call.
    Running {
        /// The recording's file; None if the call that a lane resumes cannot be read.
        path: Option<String>,
    },
    /// The recording has stopped, or could not be started.
    Over,
}

impl Recorder {
    /// The recorder of an attempt. `running` is true if an earlier lane started the recording.
    pub(super) fn new(recording: Option<Recording>, running: bool) -> Self {
        match recording {
            recording if running => Self::Running { path: recording.map(|recording| recording.path) },
            Some(recording) => Self::Idle(recording),
            None => Self::Off,
        }
    }

    /// Returns the recording to start, once.
    pub(super) fn start(&mut self) -> Option<Recording> {
        let Self::Idle(recording) = self else { return None };
        let recording = recording.clone();
        *self = Self::Asked(recording.clone());
        Some(recording)
    }

    /// Takes in MixMonitor's answer: the recording's path, or why it was not started. Returns the event to commit.
    pub(super) fn answered(&mut self, answer: Result<String, String>) -> Option<Event> {
        let Self::Asked(recording) = self else { return None };
        Some(match answer {
            Ok(path) => {
                *self = Self::Running { path: Some(std::mem::take(&mut recording.path)) };
                (EventKind::RecordingStarted, Some(path))
            }
            Err(why) => {
                *self = Self::Over;
                (EventKind::RecordingFailed, Some(why))
            }
        })
    }

    /// Notes that the recording is over: its channel is gone, or somebody stopped it. Returns the event to commit if it
    /// ran.
    pub(super) fn stop(&mut self) -> Option<Event> {
        let Self::Running { path } = self else { return None };
        let path = path.take();
        *self = Self::Over;
        Some((EventKind::RecordingStopped, path))
    }
}
