//! The permits that an attempt holds as long as it lives.

use std::sync::Arc;

use super::clients::ClientPermit;
use super::limiter::Permit;

/// All limits that an attempt falls under. It goes with the attempt, wherever that goes, and ends with it.
#[derive(Debug, Default)]
pub struct Permits {
    /// Of the server.
    pub server: Option<Permit>,
    /// Of the queue on the server.
    pub queue: Option<Permit>,
    /// Of what the client was granted on the server.
    pub grant: Option<Permit>,
    /// Of the trunk, with its name.
    pub trunk: Option<(Arc<str>, Permit)>,
    /// Of the client, on all servers of this node.
    pub client: Option<ClientPermit>,
}

impl Permits {
    /// The trunk that the A leg goes through.
    #[must_use]
    pub fn trunk_name(&self) -> Option<Arc<str>> {
        self.trunk.as_ref().map(|(name, _)| Arc::clone(name))
    }

    /// The attempt's Originate is on the wire.
    pub fn sent(&mut self) {
        let of_lane = [&mut self.server, &mut self.queue, &mut self.grant];
        of_lane.into_iter().flatten().chain(self.trunk.as_mut().map(|(_, permit)| permit)).for_each(Permit::sent);
        if let Some(client) = &mut self.client {
            client.sent();
        }
    }
}
