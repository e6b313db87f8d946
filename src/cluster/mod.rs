//! Which processes share the store: each has a name of its own, and says every two seconds that it lives.

mod member;
mod name;

pub use member::Member;
pub use name::{Name, NameError};
