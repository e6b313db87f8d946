//! The settings of who may connect, how often, and how long a client may take.

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderValue, Uri};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// The most connections that are open at one time without `max_connections`, if the process may open enough files.
const CONNECTIONS: usize = 10_000;

/// The bounds of the file descriptors that are not for connections of clients, but for the store, for Asterisk servers
/// and for webhooks.
const RESERVED: (usize, usize) = (64, 1024);

/// The most connections of a source that have not sent a request yet, without `max_handshakes_per_source`.
const HANDSHAKES: usize = 500;

/// The most connections that a source opens in a second without `max_new_connections_per_source`. Clients that open one for
/// each request stay far below it.
const NEW_CONNECTIONS: usize = 1000;

/// The longest time that a setting can have, in seconds.
const LONGEST: usize = 86_400;

/// The settings of the port's doors. A setting that is absent has the default that its method returns.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    pub(super) max_connections: Option<Count>,
    pub(super) max_connections_per_source: Option<Count>,
    pub(super) max_handshakes_per_source: Option<Count>,
    pub(super) max_new_connections_per_source: Option<Count>,
    pub(super) max_streams_per_client: Option<Count>,
    pub(super) max_bodies_per_client: Option<Count>,
    pub(super) handshake_timeout: Option<Seconds>,
    pub(super) header_timeout: Option<Seconds>,
    pub(super) body_timeout: Option<Seconds>,
    pub(super) idle_timeout: Option<Seconds>,
    pub(super) write_timeout: Option<Seconds>,
}

/// How many connections may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// How many on all ports together.
    pub all: usize,
    /// How many from one source.
    pub per_source: usize,
    /// How many from one source that have not sent a request yet.
    pub handshakes_per_source: usize,
    /// How many a source may open in a second, on average.
    pub new_per_source: usize,
}

/// How long a client may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long the first line and the headers of a request may take.
    pub header: Duration,
    /// How long the body of a gRPC request may take, unless it is a stream or large.
    pub body: Duration,
    /// How long a connection may be without a request.
    pub idle: Duration,
    /// How long a client may leave unread what it is sent.
    pub write: Duration,
}

/// Which clients need a TLS certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// A certificate is verified if a client sends one
    Optional,
    /// gRPC and gRPC-web need a certificate, REST and pages do not
    Grpc,
    /// Every connection needs a certificate
    #[default]
    Required,
}

/// A number of at least 1, which may be a text in a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(usize);

/// A time of at least one second, in whole seconds, which may be a text in a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(Duration);

/// Yes or no, which may be a text in a variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switch(pub bool);

/// Origins of pages, each as a browser sends it: a list, or a text with commas in a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(pub Vec<HeaderValue>);

impl Doors {
    /// Returns the limits on connections for a process that may open so many files; None if it may open any number.
    #[must_use]
    pub fn connections(&self, files: Option<u64>) -> ConnectionLimits {
        let room = files.map_or(usize::MAX, |files| {
            let files = usize::try_from(files).unwrap_or(usize::MAX);
            files.saturating_sub((files / 4).clamp(RESERVED.0, RESERVED.1)).max(1)
        });
        let all = self.max_connections.map_or(CONNECTIONS, |Count(count)| count).min(room);
        let per_source = self.max_connections_per_source.map_or(all / 4, |Count(count)| count).clamp(1, all);
        let handshakes = self.max_handshakes_per_source.map_or(HANDSHAKES, |Count(count)| count);
        // Connections without a request never take the whole of what a source may have.
        let handshakes_per_source = handshakes.min((per_source / 2).max(1));
        let new_per_source = self.max_new_connections_per_source.map_or(NEW_CONNECTIONS, |Count(count)| count);
        ConnectionLimits { all, per_source, handshakes_per_source, new_per_source }
    }

    /// Returns how many connections the operator asked for, if any.
    #[must_use]
    pub fn wanted_connections(&self) -> Option<usize> {
        self.max_connections.map(|Count(count)| count)
    }

    /// Returns how many streams a client may have open on this node.
    #[must_use]
    pub fn streams_per_client(&self) -> usize {
        self.max_streams_per_client.map_or(200, |Count(count)| count)
    }

    /// Returns how many requests with a body a client may have in progress on this node.
    #[must_use]
    pub fn bodies_per_client(&self) -> usize {
        self.max_bodies_per_client.map_or(32, |Count(count)| count)
    }

    /// Returns how long a client may take.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        let of = |set: Option<Seconds>, default| set.map_or(Duration::from_secs(default), |Seconds(set)| set);
        Timeouts {
            handshake: of(self.handshake_timeout, 10),
            header: of(self.header_timeout, 10),
            body: of(self.body_timeout, 30),
            idle: of(self.idle_timeout, 120),
            write: of(self.write_timeout, 60),
        }
    }
}

/// Returns true if other machines may reach the address.
#[must_use]
pub fn is_public(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

/// A value as it is in a file, or a text in a variable.
#[derive(Deserialize)]
#[serde(untagged)]
enum Raw {
    Switch(bool),
    Number(i64),
    Text(String),
    List(Vec<String>),
}

impl Raw {
    fn number(&self) -> Option<usize> {
        let number = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.trim().parse().ok()?,
            Self::Switch(_) | Self::List(_) => return None,
        };
        usize::try_from(number).ok().filter(|number| *number > 0)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Raw::deserialize(deserializer)?.number();
        number.map(Self).ok_or_else(|| D::Error::custom("must be a whole number of at least 1"))
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Raw::deserialize(deserializer)?.number().filter(|number| *number <= LONGEST);
        let seconds = number.and_then(|number| u64::try_from(number).ok()).map(Duration::from_secs);
        seconds.map(Self).ok_or_else(|| {
            D::Error::custom(format!("must be a whole number of seconds, at least 1 and at most {LONGEST}"))
        })
    }
}

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Raw::deserialize(deserializer)? {
            Raw::Switch(on) => Ok(Self(on)),
            Raw::Text(text) if text == "true" || text == "1" => Ok(Self(true)),
            Raw::Text(text) if text == "false" || text == "0" => Ok(Self(false)),
            Raw::Text(_) | Raw::Number(_) | Raw::List(_) => Err(D::Error::custom("must be true or false")),
        }
    }
}

impl<'de> Deserialize<'de> for Origins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = match Raw::deserialize(deserializer)? {
            Raw::List(texts) => texts,
            Raw::Text(text) => text.split(',').map(|text| text.trim().to_owned()).collect(),
            Raw::Switch(_) | Raw::Number(_) => return Err(D::Error::custom("must be a list of origins")),
        };
        texts.iter().map(|text| origin(text).map_err(D::Error::custom)).collect::<Result<_, _>>().map(Self)
    }
}

/// Reads an origin as a browser sends it: `https://HOST` or `https://HOST:PORT`, in lower case and without a path.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let wrong = || format!("{text:?} is not an origin, such as https://dialer.example or http://localhost:3000");
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(wrong()) };
    let is_origin = ["http", "https"].contains(&scheme) && text == format!("{scheme}://{authority}");
    if !is_origin || text.contains('@') || text.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(wrong());
    }
    HeaderValue::try_from(text).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'de> Deserialize<'de>>(toml: &str) -> Result<T, String> {
        let table: toml::Table = toml::from_str(&format!("value = {toml}")).unwrap();
        table["value"].clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())
    }

    #[test]
    fn a_number_may_be_a_text_because_variables_are() {
        assert_eq!(read("7"), Ok(Count(7)));
        assert_eq!(read("'7'"), Ok(Count(7)));
        assert_eq!(read("'30'"), Ok(Seconds(Duration::from_secs(30))));
        assert_eq!(read("'true'"), Ok(Switch(true)));
        assert_eq!(read("false"), Ok(Switch(false)));
        for wrong in ["0", "-1", "'x'", "''", "1.5", "true", "[]"] {
            assert!(read::<Count>(wrong).is_err(), "{wrong}");
            assert!(read::<Seconds>(wrong).is_err(), "{wrong}");
        }
        assert!(read::<Seconds>("86401").unwrap_err().contains("86400"));
        assert!(read::<Switch>("'maybe'").is_err());
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host_as_a_browser_sends_them() {
        let origins: Origins = read("'https://dialer.example, http://localhost:3000'").unwrap();
        assert_eq!(origins.0, ["https://dialer.example", "http://localhost:3000"]);
        assert_eq!(read::<Origins>("['https://[2001:db8::1]:8443']").unwrap().0.len(), 1);
        for wrong in ["*", "null", "dialer.example", "https://a/", "https://A.example", "ftp://a", "https://a@b", ""] {
            assert!(read::<Origins>(&format!("['{wrong}']")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_limit_on_connections_leaves_files_for_everything_else() {
        let doors = Doors::default();
        let few = doors.connections(Some(1024));
        let limits = |all, per_source, handshakes_per_source| ConnectionLimits {
            all,
            per_source,
            handshakes_per_source,
            new_per_source: NEW_CONNECTIONS,
        };
        assert_eq!(few, limits(768, 192, 96));
        let many = limits(10_000, 2500, 500);
        assert_eq!((doors.connections(Some(1_048_576)), doors.connections(None)), (many, many));
        let wanted = Doors {
            max_connections: Some(Count(50_000)),
            max_connections_per_source: Some(Count(99_999)),
            ..Doors::default()
        };
        assert_eq!(wanted.connections(Some(20_000)).all, 18_976, "the system's limit wins");
        assert_eq!(wanted.connections(Some(20_000)).per_source, 18_976);
        assert_eq!(doors.connections(Some(10)), limits(1, 1, 1));
    }

    #[test]
    fn an_address_is_public_unless_it_is_of_this_machine_alone() {
        for (address, public) in [
            ("127.0.0.1:1", false),
            ("127.9.9.9:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("192.168.1.1:1", true),
            ("[fe80::1]:1", true),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }
}
