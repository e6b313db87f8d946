//! What a link reports to its owner, in the order in which Asterisk sent it.

use std::time::Duration;

use super::event::Event;

/// What is known of a session after its login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The banner, for example `Asterisk Call Manager/11.0.0`.
    pub banner: String,
    /// Asterisk's version, for example `22.10.1`.
    pub asterisk_version: Option<String>,
    /// True if Asterisk filters the events, so that it sends only those that are needed.
    pub filtered: bool,
    /// How long connecting and logging in took.
    pub login: Duration,
}

/// One report of a link.
#[derive(Debug)]
pub enum Incoming {
    /// A session began. Everything up to the next `Offline` belongs to it.
    Online(Session),
    /// The session ended, or could not be opened.
    Offline {
        /// Why it ended, as a text for people.
        reason: String,
        /// True if the login was refused. Trying again does not help until the configuration is corrected.
        unauthorized: bool,
        /// ActionIDs of actions that were posted and certainly never sent.
        unsent: Vec<String>,
    },
    /// The answer to an action that was posted.
    Response { action_id: String, success: bool, text: String },
    /// Asterisk sent an event.
    Event(Event),
}
