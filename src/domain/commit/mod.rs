//! The vocabulary of a lane's group commit: what a lane asks the store to make durable, as plain types.

mod call_details;
mod call_ref;
mod change;
mod claim;
mod deferral;
mod expiry;
mod group;
mod hold;
mod refusal;
mod withdrawal;

pub use call_details::CallDetails;
pub use call_ref::CallRef;
pub use change::{Change, What};
pub use claim::{CallSettings, Checks, Claim};
pub use deferral::Deferral;
pub use expiry::Expiry;
pub use group::Group;
pub use hold::Hold;
pub use refusal::Refusal;
pub use withdrawal::Withdrawal;
