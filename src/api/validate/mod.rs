//! From a request to what the domain and the store take: every rule of the contract about fields, and where each is
//! broken.

pub mod admin;
pub mod batch;
pub mod originate;
pub mod paging;
pub mod quick;
pub mod text;

use std::collections::HashMap;

use crate::api::Error;
use crate::domain::policy::Policy;
use crate::store::clients::Client;
use crate::store::servers::Server;

/// What the rules depend on: the client, what it may dial, and through which servers.
pub struct Rules {
    /// Its account code is the default.
    pub client: Client,
    /// What it may dial.
    pub policy: Policy,
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
    pub fn new(client: Client, servers: Vec<Server>) -> Result<Self, Error> {
        let policy = serde_json::from_str(&client.policy).map_err(Error::internal)?;
        let mut by_code = HashMap::new();
        for server in servers {
            let recording_dirs = server.recording_dirs()?;
            by_code.insert(server.code, ServerRules { dial_template: server.dial_template, recording_dirs });
        }
        Ok(Self { client, policy, servers: by_code })
    }
}
