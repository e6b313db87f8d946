//! The largest numbers, lengths and counts that a request may hold, as the protos have them.
//!
//! The build script reads them from the `(rule)` of each field, so that they cannot differ from what the API refuses.

include!(concat!(env!("OUT_DIR"), "/bounds.rs"));
