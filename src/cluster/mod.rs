//! Which processes share the store: each says every two seconds that it lives.

mod member;

pub use member::Member;
