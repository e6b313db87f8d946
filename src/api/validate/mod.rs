//! Turns requests into what the domain and the store take, and checks what a rule of one field cannot say: rules about
//! several fields, about what is stored, the dial policy, and the limits of Asterisk.
//!
//! The rules of each field by itself are in the protos, and are checked by `api::fields`.

pub mod admin;
pub mod batch;
pub mod call_edit;
pub mod call_operations;
pub mod call_search;
pub mod contact;
mod dial_policy;
pub mod do_not_call;
pub mod filters;
pub mod keys;
pub mod labels;
pub mod new_queue;
pub mod numbering;
pub mod originate;
pub mod page_token;
pub mod paging;
pub mod patch;
pub mod quick;
pub mod rules;
pub mod statistics;
pub mod stream;
pub mod text;
pub mod webhook;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::api::Error;
use crate::domain::dial::called::Reading;
use crate::domain::extension::Pattern;
use crate::domain::limits::{ClientLimits, Limits, TrunkLimits};
use crate::domain::number::Numbering;
use crate::domain::policy::{Policy, Terms};
use crate::store::client_terms::ClientTerms;
use crate::store::clients::{Client, Grant};
use crate::store::servers::Server;
use crate::store::settings::PlatformPolicy;

/// What the rules depend on: the client, what it may dial, and through which servers.
pub struct Rules {
    /// The client; its account code is the default of its calls.
    pub client: Client,
    /// What the client may dial, without what the platform denies to all clients.
    pub policy: Policy,
    /// The limits of the client.
    pub limits: ClientLimits,
    /// The servers that the client was granted, by code.
    pub servers: HashMap<String, ServerRules>,
    /// The limits of the queue that calls are added to, as far as they matter to the calls.
    pub queue: Limits,
}

/// What the rules depend on of a server.
#[derive(Default)]
pub struct ServerRules {
    /// The dial string of quick calls, in which `{number}` stands for the number.
    pub dial_template: String,
    /// The directories that the client's recordings may go to, the default first.
    pub recording_dirs: Vec<String>,
    /// What numbers mean on the server.
    pub numbering: Numbering,
    /// The extensions that the client may dial on the server besides numbers.
    pub extensions: Vec<Pattern>,
    /// The limits of the server.
    pub limits: Limits,
    /// The limits of the server's trunks.
    pub trunks: Vec<TrunkLimits>,
    /// The limits of the client's grant for the server.
    pub grant: Limits,
}

impl ServerRules {
    /// Returns what a call through the server is checked against besides the client's policy.
    #[must_use]
    pub fn terms<'a>(&'a self, account_code: &'a str) -> Terms<'a> {
        let reading = Reading { numbering: &self.numbering, extensions: &self.extensions };
        Terms { account_code, recording_dirs: &self.recording_dirs, reading }
    }
}

impl Rules {
    /// Makes the rules of a client from what is stored.
    pub fn new(client: Client, servers: Vec<(Server, Grant)>, platform: &PlatformPolicy) -> Result<Self, Error> {
        let ClientTerms { policy, limits } = ClientTerms::read(&client.policy, &client.limits, platform)?;
        let mut by_code = HashMap::new();
        for (server, grant) in servers {
            let recording_dirs = policy.recording_dirs(&server.recording_dirs()?).into_owned();
            let (numbering, extensions) = (server.numbering()?, grant.extensions()?);
            let limits = Limits { max_live: Some(server.max_channels), per_second: Some(server.calls_per_second) };
            let grant = Limits { max_live: grant.max_live_calls, per_second: grant.calls_per_second };
            let trunks = server.trunks()?;
            let dial_template = server.dial_template;
            let rules = ServerRules { dial_template, recording_dirs, numbering, extensions, limits, trunks, grant };
            by_code.insert(server.code, rules);
        }
        Ok(Self { client, policy, limits, servers: by_code, queue: Limits::default() })
    }
}
