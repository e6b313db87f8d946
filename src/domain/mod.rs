//! Plain types and rules of calling, without IO: what may happen to a call, and when.

pub mod arguments;
pub mod attempt;
pub mod backoff;
pub mod cause;
pub mod cdr;
pub mod congestion;
pub mod did;
pub mod end_request;
pub mod explain;
pub mod fairness;
pub mod ids;
pub mod limits;
pub mod note;
pub mod number;
pub mod originate;
pub mod outcome;
pub mod pacing;
pub mod policy;
pub mod prefixes;
pub mod queue_rules;
pub mod recording;
pub mod retry;
pub mod status;
pub mod time;
pub mod wait_reasons;
pub mod window;
