//! How to reach an Asterisk Manager, and which user to log in as.

use std::time::Duration;

use secrecy::SecretString;

/// The address of an Asterisk Manager, the user to log in as, and the intervals of the connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// The host's name or address.
    pub host: String,
    /// The TCP port of the manager interface.
    pub port: u16,
    /// The manager user's name.
    pub username: String,
    /// The manager user's secret.
    pub secret: SecretString,
    /// True to connect with TLS.
    pub tls: bool,
    /// How often a Ping is sent.
    pub ping_every: Duration,
    /// How long any answer may take.
    pub answer_deadline: Duration,
}

impl Options {
    /// Returns options with the intervals for production.
    #[must_use]
    pub fn new(host: String, port: u16, username: String, secret: SecretString, tls: bool) -> Self {
        let ping_every = Duration::from_secs(5);
        Self { host, port, username, secret, tls, ping_every, answer_deadline: Duration::from_secs(5) }
    }
}
