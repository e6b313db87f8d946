//! An Asterisk Manager server in this process, for demonstrations and tests. It answers and sends events as a real
//! Asterisk 22 does in the traces under `tests/data/ami`, and no phone rings.
//!
//! The dialed number decides how a call ends: see [`outcome::Outcome`] or `docs/sandbox.md`. The sandbox omits the
//! events `TestEvent`, `VarSet` and `DeviceStateChange` of the traces, which no dialer reads and every filter excludes.

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

/// A handle that shows what a sandbox has received and that breaks it on purpose.
#[derive(Clone)]
pub struct Handle {
    /// The address on which it listens.
    pub address: SocketAddr,
    orders: mpsc::UnboundedSender<Order>,
    seen: Arc<Seen>,
}

impl Handle {
    /// Returns the last 100,000 received Originates in order, including refused ones.
    #[must_use]
    pub fn originated(&self) -> Vec<Originated> {
        self.seen.originated()
    }

    /// Returns how many Originates were received, including refused ones.
    #[must_use]
    pub fn originates(&self) -> u64 {
        self.seen.originates()
    }

    /// Returns the Uniqueids of all live channels in order.
    pub async fn live(&self) -> Vec<String> {
        let (answer, answered) = oneshot::channel();
        let _ = self.orders.send(Order::Live(answer));
        answered.await.unwrap_or_default()
    }

    /// Closes every connection, as a restart of Asterisk's manager would. Calls continue.
    pub fn cut(&self) {
        let _ = self.orders.send(Order::Cut);
    }

    /// Reads actions from now on without answering them, or answers again. Calls continue.
    pub fn mute(&self, mute: bool) {
        let _ = self.orders.send(Order::Mute(mute));
    }

    /// Refuses every login from now on, or accepts them again. Existing sessions stay open.
    pub fn refuse_logins(&self, refuse: bool) {
        self.seen.refuse_logins(refuse);
    }
}

/// A sandbox that listens already, and answers once it runs.
pub struct Sandbox {
    handle: Handle,
    listener: TcpListener,
    options: Options,
    exchange: Exchange,
    taken: mpsc::UnboundedReceiver<Order>,
}

impl Sandbox {
    /// Opens the port of a sandbox.
    ///
    /// # Errors
    /// Returns the operating system's error if the port cannot be opened.
    pub async fn new(options: Options) -> std::io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let (orders, taken) = mpsc::unbounded_channel();
        let seen = Arc::new(Seen::default());
        let exchange = Exchange::new(&options, Arc::clone(&seen));
        Ok(Self { handle: Handle { address, orders, seen }, listener, options, exchange, taken })
    }

    /// Returns what observes and controls this sandbox.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves manager sessions and runs the calls, until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let Self { handle: Handle { orders, seen, .. }, listener, options, exchange, taken } = self;
        let sessions = session::accept(listener, Arc::new(options), seen, orders);
        tokio::select! {
            () = stop.cancelled() => {}
            () = exchange.run(taken) => {}
            () = sessions => {}
        }
    }
}

/// Starts a sandbox in a task that ends when `stop` is cancelled.
///
/// # Errors
/// Returns the operating system's error if the port cannot be opened.
pub async fn start(options: Options, stop: CancellationToken) -> std::io::Result<Handle> {
    let sandbox = Sandbox::new(options).await?;
    let handle = sandbox.handle();
    tokio::spawn(sandbox.run(stop));
    Ok(handle)
}

#[cfg(test)]
mod tests;
