//! An Asterisk Manager server in process, for trying Trunkline out and for tests: it answers and reports as a real
//! Asterisk 22 does in the traces under `tests/data/ami`, and rings nobody.
//!
//! How a call ends is set by the number that is dialed: see [`outcome::Outcome`], or `docs/sandbox.md`. What it leaves
//! out of the traces: `TestEvent`, `VarSet` and `DeviceStateChange`, which no dialer reads and every filter drops.

mod actions;
mod call;
mod exchange;
mod options;
pub mod outcome;
mod render;
mod script;
mod seen;
mod session;
mod subscribers;
mod timing;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use exchange::{Exchange, Order};
use seen::Seen;

pub use options::Options;
pub use seen::Originated;

/// What a sandbox has seen, and what can be done to it.
#[derive(Clone)]
pub struct Handle {
    /// Where it listens.
    pub address: SocketAddr,
    orders: mpsc::UnboundedSender<Order>,
    seen: Arc<Seen>,
}

impl Handle {
    /// The Originates that arrived, in order, refused ones too; of a great many only the last 100,000.
    #[must_use]
    pub fn originated(&self) -> Vec<Originated> {
        self.seen.originated()
    }

    /// How many Originates arrived, refused ones too.
    #[must_use]
    pub fn originates(&self) -> u64 {
        self.seen.originates()
    }

    /// The Uniqueids of all live channels, in order.
    pub async fn live(&self) -> Vec<String> {
        let (answer, answered) = oneshot::channel();
        let _ = self.orders.send(Order::Live(answer));
        answered.await.unwrap_or_default()
    }

    /// Closes every connection, as a restart of Asterisk's manager would; calls go on.
    pub fn cut(&self) {
        let _ = self.orders.send(Order::Cut);
    }

    /// From now on takes actions and answers none; or answers again. Calls go on.
    pub fn mute(&self, mute: bool) {
        let _ = self.orders.send(Order::Mute(mute));
    }

    /// From now on refuses every login; or takes them again. Sessions stay.
    pub fn refuse_logins(&self, refuse: bool) {
        self.seen.refuse_logins(refuse);
    }
}

/// Starts a sandbox; it ends when `stop` is cancelled.
///
/// # Errors
/// Where it cannot listen there.
pub async fn start(options: Options, stop: CancellationToken) -> std::io::Result<Handle> {
    let listener = TcpListener::bind(options.listen).await?;
    let address = listener.local_addr()?;
    let (orders, taken) = mpsc::unbounded_channel();
    let seen = Arc::new(Seen::default());
    let exchange = Exchange::new(&options, Arc::clone(&seen));
    let handle = Handle { address, orders: orders.clone(), seen: Arc::clone(&seen) };
    tokio::spawn(async move {
        let sessions = session::accept(listener, Arc::new(options), seen, orders);
        tokio::select! {
            () = stop.cancelled() => {}
            () = exchange.run(taken) => {}
            () = sessions => {}
        }
    });
    Ok(handle)
}

#[cfg(test)]
mod tests;
