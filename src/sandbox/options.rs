//! The settings of a sandbox.

use std::net::SocketAddr;

use secrecy::SecretString;

/// Where a sandbox listens, which user may log in, and how fast its calls are.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on. Port 0 takes a free port.
    pub listen: SocketAddr,
    /// The manager user that may log in.
    pub username: String,
    /// The manager user's secret.
    pub secret: SecretString,
    /// The seed of the random numbers that decide how long calls ring and talk.
    pub seed: u64,
    /// How many times faster than real calls everything happens, timeouts included: with 1 a phone rings for seconds,
    /// with 100 for hundredths of a second.
    pub speed: f64,
}
