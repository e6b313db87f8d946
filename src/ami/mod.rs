//! The Asterisk Manager Interface: a codec that accepts any bytes, typed actions and events, and a link that keeps a
//! connection open. <https://docs.asterisk.org/Configuration/Interfaces/Asterisk-Manager-Interface-AMI/>

pub mod action;
mod advice;
pub mod codec;
mod command;
pub mod event;
mod incoming;
pub mod link;
pub mod message;
mod options;
mod permissions;
pub mod probe;
mod session;
mod survey;
pub mod tls;
pub mod value;
mod version;

#[cfg(test)]
mod tests;

pub use action::{Action, Originate, Target};
pub use command::Answer;
pub use event::Event;
pub use incoming::{Incoming, Session};
pub use link::Link;
pub use message::Message;
pub use options::Options;
pub use value::{HeaderValue, InvalidValue, MAX_BYTES, MAX_HEADERS, Variable};
