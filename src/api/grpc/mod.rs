//! The services, one thin file each. A method checks the request, calls the store and answers. REST calls the same
//! methods.

mod admin;
mod app;
mod call_edit;
mod call_operations;
mod calls;
mod change;
mod changed;
mod clients;
mod convert;
mod do_not_call;
mod errors;
mod explain;
mod insert;
mod key_store;
mod list_calls;
mod queue_lifecycle;
mod queues;
mod statistics;
mod stream_items;
mod unary;
mod watch;

pub use admin::Admin;
pub use app::App;
pub use calls::Calls;
pub use clients::Clients;
pub use convert::event_json;
pub use key_store::Keys;
pub use queues::Queues;
