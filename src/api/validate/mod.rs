//! From a request to what the domain and the store take: every rule of the contract about fields, and where each is
//! broken.

pub mod admin;
pub mod batch;
pub mod do_not_call;
pub mod filters;
pub mod originate;
pub mod paging;
pub mod patch;
pub mod quick;
pub mod rules;
pub mod stream;
pub mod text;
pub mod webhook;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::api::Error;
use crate::domain::limits::ClientLimits;
use crate::domain::policy::Policy;
use crate::store::client_terms::ClientTerms;
use crate::store::clients::Client;
use crate::store::servers::Server;
use crate::store::settings::PlatformPolicy;

/// What the rules depend on: the client, what it may dial, and through which servers.
pub struct Rules {
    /// Its account code is the default.
    pub client: Client,
    /// What it may dial, under what the platform denies to all.
    pub policy: Policy,
    /// What limits it.
    pub limits: ClientLimits,
    /// The servers it was granted, by code.
    pub servers: HashMap<String, ServerRules>,
}

/// What the rules take from a server.
pub struct ServerRules {
    /// How quick calls dial a number.
    pub dial_template: String,
    /// Where recordings may go, the default first.
    pub recording_dirs: Vec<String>,
}

impl Rules {
    /// From what is stored.
    pub fn new(client: Client, servers: Vec<Server>, platform: &PlatformPolicy) -> Result<Self, Error> {
        let ClientTerms { policy, limits } = ClientTerms::read(&client.policy, &client.limits, platform)?;
        let mut by_code = HashMap::new();
        for server in servers {
            let recording_dirs = server.recording_dirs()?;
            by_code.insert(server.code, ServerRules { dial_template: server.dial_template, recording_dirs });
        }
        Ok(Self { client, policy, limits, servers: by_code })
    }
}
