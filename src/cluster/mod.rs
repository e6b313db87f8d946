//! The processes that share the store: each has a name of its own, and records every two seconds that it is alive.

mod member;
mod name;

pub use member::Member;
pub use name::{Name, NameError};
