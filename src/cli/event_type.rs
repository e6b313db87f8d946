//! Types of events as flags name them.

use serde_json::Value;

use crate::pb;

/// Parses the type of an event as the API writes it.
///
/// # Errors
/// Returns a text for people if there is no such type.
pub fn event_type(text: &str) -> Result<pb::CallEventType, String> {
    serde_json::from_value(Value::from(text)).map_err(|_| format!("`{text}` is not a type of event, such as ended"))
}
