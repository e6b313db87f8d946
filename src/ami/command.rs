//! Actions on their way to Asterisk, and the answers to them.

use tokio::sync::oneshot;

use super::action::Action;
use super::event::Event;
use super::message::Message;
use super::value::HeaderValue;

/// Asterisk's answer to a request.
#[derive(Debug)]
pub struct Answer {
    /// The response; for a list, the message that ends it.
    pub response: Message,
    /// The items of a list; empty for any other request.
    pub events: Vec<Event>,
}

/// An action that is to be sent, and where its answer goes.
pub(super) struct Command {
    pub action_id: HeaderValue,
    pub action: Action,
    /// Where the answer goes. It is None if the answer is reported as an `Incoming::Response`.
    pub answer: Option<oneshot::Sender<Answer>>,
    /// True if the answer is a list of events.
    pub list: bool,
}
