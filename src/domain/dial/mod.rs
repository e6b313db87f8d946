//! The grammar of what is dialed: the dial strings of channels, and the arguments of dialplan applications.
//!
//! A text that reaches Asterisk is never one that was only searched for what is bad. It is parsed here as Asterisk parses
//! it, checked in its parsed form, and written out again from that form. What cannot be parsed is refused.

pub mod applications;
pub mod called;
pub mod channel_id;
pub mod dial_string;
pub mod dialed;
pub mod fault;
pub mod legs;
pub mod names;
pub mod text;
