//! How to reach an Asterisk Manager, and which user to log in as.

use std::net::IpAddr;
use std::time::Duration;

use secrecy::SecretString;

/// The address of an Asterisk Manager, the user to log in as, and the intervals of the connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// The code of the server, for the log; its host if it has none.
    pub name: String,
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
        Self {
            name: host.clone(),
            host,
            port,
            username,
            secret,
            tls,
            ping_every,
            answer_deadline: Duration::from_secs(5),
        }
    }

    /// Returns a warning if the secret and the calls cross a network in the clear: the host is another machine, and the
    /// connection has no TLS.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let host = self.host.trim_end_matches('.');
        let is_local = match host.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback() || address.is_unspecified(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        };
        (!self.tls && !is_local).then(|| {
            format!(
                "{} is another machine, and without TLS anyone on the way can read the manager's secret and dial with it: \
                 set tls, or connect through a tunnel that ends at a loopback address",
                self.host
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_connection_to_another_machine_is_warned_of() {
        let warning =
            |host: &str, tls| Options::new(host.to_owned(), 5038, "dialer".to_owned(), "secret".into(), tls).warning();
        for local in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "localhost", "LOCALHOST.", "0.0.0.0"] {
            assert_eq!(warning(local, false), None, "{local}");
        }
        for remote in ["192.0.2.10", "10.0.0.1", "2001:db8::1", "asterisk.example", "localhost.example"] {
            assert!(warning(remote, false).is_some_and(|text| text.starts_with(remote)), "{remote}");
            assert_eq!(warning(remote, true), None, "{remote}");
        }
    }
}
