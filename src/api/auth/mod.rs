//! Authentication: one layer in front of every method, for REST, gRPC and gRPC-web.

mod caller;
mod key;
mod layer;
mod store;

pub use caller::{Caller, CallerKind};
pub use key::{ApiKey, KeyKind, NewKey, hash_secret};
pub use layer::{AdminKey, AdminKeyTooShort, Auth, RequestsPerSecond, authenticate};
pub use store::{KeyStore, LookupFailed, StoredKey};
