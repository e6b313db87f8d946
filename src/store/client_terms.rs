//! What a client may do, as its stored policy and limits say under what the platform denies to all clients.

use super::error::Result;
use super::settings::PlatformPolicy;
use crate::domain::limits::ClientLimits;
use crate::domain::policy::Policy;
use crate::domain::prefixes;

/// A client's dial policy and limits in force. Requests and waiting calls are both checked against them.
#[derive(Clone, Debug)]
pub struct ClientTerms {
    /// What the client may dial, with what the platform denies to all clients.
    pub policy: Policy,
    /// How much the client may dial.
    pub limits: ClientLimits,
}

impl ClientTerms {
    /// Reads a client's `policy` and `limits`, both JSON as stored. An error is what this version cannot read.
    pub fn read(policy: &str, limits: &str, platform: &PlatformPolicy) -> Result<Self> {
        let mut own: Policy = serde_json::from_str(policy)?;
        for list in [&mut own.allow_prefixes, &mut own.deny_prefixes] {
            *list = prefixes::all_canonical(list);
        }
        let policy = own.under(platform.denied());
        Ok(Self { policy, limits: serde_json::from_str(limits)? })
    }
}
