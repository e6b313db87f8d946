//! The permits that an attempt holds as long as it lives.

use std::sync::Arc;

use super::clients::ClientPermit;
use super::limiter::Permit;

/// The permits of all limits that an attempt falls under. They belong to the attempt and end with it.
#[derive(Debug, Default)]
pub struct Permits {
    /// The permit of the server.
    pub server: Option<Permit>,
    /// The permit of the queue on the server.
    pub queue: Option<Permit>,
    /// The permit of the client's grant for the server.
    pub grant: Option<Permit>,
    /// The name and the permit of the trunk that the A leg goes through.
    pub trunk: Option<(Arc<str>, Permit)>,
    /// The permits of further trunks that legs go through which count.
    pub further_trunks: Vec<Permit>,
    /// The permit of the client on all servers of this node.
    pub client: Option<ClientPermit>,
}

impl Permits {
    /// Returns the name of the trunk that the A leg goes through.
    #[must_use]
    pub fn trunk_name(&self) -> Option<Arc<str>> {
        self.trunk.as_ref().map(|(name, _)| Arc::clone(name))
    }

    /// Notes that the attempt's Originate was sent.
    pub fn sent(&mut self) {
        let of_lane = [&mut self.server, &mut self.queue, &mut self.grant];
        let of_lane = of_lane.into_iter().flatten().chain(self.trunk.as_mut().map(|(_, permit)| permit));
        of_lane.chain(&mut self.further_trunks).for_each(Permit::sent);
        if let Some(client) = &mut self.client {
            client.sent();
        }
    }
}
