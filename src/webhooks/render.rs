//! How an event becomes the body of a POST.

use crate::store::events::Event;

/// Writes an event as the body of a POST, in the JSON that streams deliver. The API knows that JSON and passes this
/// function in.
pub type Render = fn(&Event) -> serde_json::Result<String>;
