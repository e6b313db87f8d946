//! Plain types and rules of calling, without IO: what may happen to a call, and when.

pub mod attempt;
pub mod cause;
pub mod ids;
pub mod originate;
pub mod outcome;
pub mod pacing;
pub mod policy;
pub mod recording;
pub mod retry;
pub mod status;
pub mod time;
