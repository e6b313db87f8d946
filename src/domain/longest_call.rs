//! How long a call may take before it is hung up.

use std::collections::HashMap;
use std::time::Duration;

use super::commit::CallRef;

/// How many seconds a call may take if nothing else is configured: 4 hours.
pub const DEFAULT_SECONDS: u32 = 14_400;

/// The longest times of the calls of one server. Of all that are set for a call, the shortest holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongestCalls {
    /// The seconds that every call on the server may take.
    everywhere: u32,
    /// The seconds of the clients that have a limit of their own, by id.
    clients: HashMap<i64, u32>,
    /// The seconds of the queues that have a limit of their own, by id.
    queues: HashMap<i64, u32>,
}

impl Default for LongestCalls {
    fn default() -> Self {
        Self { everywhere: DEFAULT_SECONDS, clients: HashMap::new(), queues: HashMap::new() }
    }
}

impl LongestCalls {
    /// Sets how many seconds every call may take: by the installation, and by the server if it has a limit of its own.
    pub fn set_everywhere(&mut self, installation: u32, server: Option<i32>) {
        self.everywhere = shortest(installation, server);
    }

    /// Sets how many seconds the calls of a client may take; None if it has no limit of its own.
    pub fn set_client(&mut self, client_id: i64, seconds: Option<i32>) {
        set(&mut self.clients, client_id, seconds);
    }

    /// Sets how many seconds the calls of a queue may take; None if it has no limit of its own.
    pub fn set_queue(&mut self, queue_id: i64, seconds: Option<i32>) {
        set(&mut self.queues, queue_id, seconds);
    }

    /// Forgets the limits of the queues that `keep` does not name.
    pub fn keep_queues(&mut self, keep: impl Fn(i64) -> bool) {
        self.queues.retain(|id, _| keep(*id));
    }

    /// Returns how long a call may take.
    #[must_use]
    pub fn of(&self, call: CallRef) -> Duration {
        let own = [self.clients.get(&call.client_id), self.queues.get(&call.queue_id)];
        let seconds = own.into_iter().flatten().copied().fold(self.everywhere, u32::min);
        Duration::from_secs(seconds.into())
    }
}

fn set(limits: &mut HashMap<i64, u32>, id: i64, seconds: Option<i32>) {
    match seconds.and_then(|seconds| u32::try_from(seconds).ok()) {
        Some(seconds) => limits.insert(id, seconds),
        None => limits.remove(&id),
    };
}

fn shortest(one: u32, other: Option<i32>) -> u32 {
    other.and_then(|other| u32::try_from(other).ok()).map_or(one, |other| one.min(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::CallId;

    #[test]
    fn the_shortest_limit_that_is_set_holds() {
        let call = CallRef { id: CallId::new(), client_id: 1, queue_id: 2 };
        let of = |server, client, queue| {
            let mut longest = LongestCalls::default();
            longest.set_everywhere(DEFAULT_SECONDS, server);
            longest.set_client(1, client);
            longest.set_queue(2, queue);
            longest.set_client(7, Some(1));
            longest.set_queue(7, Some(1));
            longest.of(call).as_secs()
        };
        for (server, client, queue, seconds) in [
            (None, None, None, 14_400),
            (Some(i32::MAX), None, None, 14_400),
            (Some(60), None, None, 60),
            (Some(60), Some(30), None, 30),
            (Some(60), Some(30), Some(90), 30),
            (None, Some(90), Some(20), 20),
        ] {
            assert_eq!(of(server, client, queue), seconds, "{server:?} {client:?} {queue:?}");
        }
    }
}
