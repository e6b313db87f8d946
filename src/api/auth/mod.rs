//! Authentication: one layer in front of every method, for REST, gRPC and gRPC-web.

mod admission;
mod caller;
mod ending_body;
mod guesses;
mod key;
mod layer;
mod needs;
mod open_streams;
mod origin;
mod standing;
mod store;

pub use admission::{AdminKey, AdminKeyTooShort, Auth, RequestsPerSecond};
pub use caller::{BOOTSTRAP, Caller, CallerKind};
pub use key::{ApiKey, KeyKind, NewKey, hash_secret};
pub use layer::authenticate;
pub use needs::streams;
pub use origin::Origin;
pub use standing::Ended;
pub use store::{KeyName, KeyStore, LookupFailed, StoredKey};
