//! The configuration of the server: a TOML file, then `TRUNKLINE_*` variables, then flags; the last one wins.

mod doors;
mod flags;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use toml::{Table, Value};

pub use self::doors::{ClientAuth, ConnectionLimits, Doors, Origins, Switch, Timeouts, is_public};
use self::doors::{Count, Seconds};
pub use self::flags::{Flags, LogFormat};
use crate::domain::brake;
use crate::domain::longest_call;
use crate::domain::networks::Networks;

/// Variables with our prefix that are not settings of the server: they name the configuration file, or tell client
/// commands where the server is.
const NOT_OURS: [&str; 6] = ["config", "url", "ca", "client", "api_key", "api_key_file"];
/// The prefix of variables that tell tests where their parts are.
const OF_TESTS: &str = "test_";

/// The settings. The name of a field is its key in the file and, in capitals after `TRUNKLINE_`, its variable.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The address to listen on. Port 0 takes a free port.
    pub listen: SocketAddr,
    /// `sqlite://PATH` or `postgres://…`, which may contain a password. Default: SQLite in the data directory.
    #[serde(default, deserialize_with = "secret")]
    database_url: Option<SecretString>,
    /// A file that contains the `database_url`.
    database_url_file: Option<PathBuf>,
    /// The directory for keys and the default database.
    pub data_dir: PathBuf,
    #[serde(default, deserialize_with = "secret")]
    admin_key: Option<SecretString>,
    admin_key_file: Option<PathBuf>,
    #[serde(default, deserialize_with = "secret")]
    secret_key: Option<SecretString>,
    secret_key_file: Option<PathBuf>,
    /// Earlier values of the secret key, with commas or white space in between.
    #[serde(default, deserialize_with = "secret")]
    previous_secret_keys: Option<SecretString>,
    previous_secret_keys_file: Option<PathBuf>,
    /// A file with the certificate chain in PEM. Default: no TLS.
    tls_cert: Option<PathBuf>,
    /// A file with the private key of the certificate in PEM.
    tls_key: Option<PathBuf>,
    /// A file with the certificates in PEM that sign the certificates of clients. Default: clients need none.
    tls_client_ca: Option<PathBuf>,
    /// Which clients need a certificate. Default: all, if there is a `tls_client_ca`.
    tls_client_auth: Option<ClientAuth>,
    /// Whether a public address may be served without TLS.
    #[serde(default)]
    insecure_public: Switch,
    /// The origins of pages that may read answers, besides the server's own pages. Default: none.
    #[serde(default)]
    pub cors_origins: Origins,
    max_connections: Option<Count>,
    max_connections_per_source: Option<Count>,
    max_handshakes_per_source: Option<Count>,
    max_new_connections_per_source: Option<Count>,
    max_streams_per_client: Option<Count>,
    max_bodies_per_client: Option<Count>,
    handshake_timeout: Option<Seconds>,
    header_timeout: Option<Seconds>,
    body_timeout: Option<Seconds>,
    idle_timeout: Option<Seconds>,
    write_timeout: Option<Seconds>,
    /// The address on which `/metrics` is served, in place of `listen`.
    pub metrics_listen: Option<SocketAddr>,
    /// The networks of reverse proxies whose headers say where a request came from: a list, or texts with commas in
    /// between. Default: none.
    #[serde(default, deserialize_with = "networks")]
    pub trusted_proxies: Networks,
    /// Whether webhooks may have URLs that begin with `http://`.
    #[serde(default)]
    pub webhook_http: Switch,
    /// The networks besides public addresses that webhooks may post to. Default: none.
    #[serde(default, deserialize_with = "networks")]
    pub webhook_networks: Networks,
    /// The name of this node in leases. Default: the host's name.
    pub node_name: Option<String>,
    /// How many seconds a call may take, from 1. Default: 14400, which is 4 hours.
    #[serde(default = "longest_call", deserialize_with = "seconds")]
    pub max_call_seconds: u32,
    /// How many calls to new destinations a client may begin on one day that sets no limit of its own; 0 for any number.
    /// Default: 100.
    #[serde(default = "new_destination_calls", deserialize_with = "number")]
    pub brake_new_destination_calls: i32,
    /// The filter for log lines, such as `info` or `trunkline=debug,info`.
    pub log: String,
    /// The format of log lines. Default: text on a terminal, else JSON.
    pub log_format: Option<LogFormat>,
}

/// The files of a certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and its intermediate certificates, in PEM.
    pub certificate: PathBuf,
    /// The private key of the certificate, in PEM.
    pub key: PathBuf,
    /// The certificates that sign those of clients, in PEM; None if clients need none.
    pub client_ca: Option<PathBuf>,
    /// Which clients need a certificate, if there is a `client_ca`.
    pub client_auth: ClientAuth,
}

/// What is wrong with the configuration. The text is a single line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key is unknown, or a value is not valid.
    #[error("{0}")]
    Value(String),
    /// A file that the configuration names cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A setting and the file for it are both given in one place.
    #[error("{0} and {0}_file are both set; set only one")]
    Twice(&'static str),
    /// PostgreSQL is used without a secret key. The nodes that share it need the same key, so none can create its own.
    #[error(
        "secret_key is required with PostgreSQL: set TRUNKLINE_SECRET_KEY to 32 bytes in base64, the same on every node"
    )]
    NoSecretKey,
    /// The address can be reached by other machines, and there is no TLS.
    #[error(
        "listen: {0} can be reached by other machines, and without TLS keys and phone numbers can be read on the way: set \
         tls_cert and tls_key, or listen on 127.0.0.1 behind a proxy with TLS; --insecure-public serves it all the same"
    )]
    InsecurePublic(SocketAddr),
}

impl Config {
    /// Loads the configuration from the file, the variables and the flags.
    ///
    /// # Errors
    /// Returns the first error that is found.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let file = flags.config.clone().or_else(|| std::env::var_os("TRUNKLINE_CONFIG").map(PathBuf::from));
        let text = file.as_deref().map(read).transpose()?.unwrap_or_default();
        let file = File { path: file.as_deref().unwrap_or(Path::new("the file")), text: &text };
        Self::layered(file, &from_environment(std::env::vars_os()), flags)
    }

    fn layered(file: File<'_>, variables: &BTreeMap<String, String>, flags: &Flags) -> Result<Self, ConfigError> {
        let defaults = [("listen", "127.0.0.1:8080"), ("data_dir", "./trunkline-data"), ("log", "info")];
        let layers = [
            toml::from_str::<Table>(file.text).map_err(|error| file.not_toml(&error))?,
            Table::try_from(variables).map_err(|error| one_line(&error))?,
            Table::try_from(flags).map_err(|error| one_line(&error))?,
        ];
        let defaults = defaults.map(|(key, value)| (key.to_owned(), Value::from(value)));
        let settings: Table = defaults.into_iter().chain(layers.clone().into_iter().flatten()).collect();
        let config: Self = serde_path_to_error::deserialize(settings).map_err(|error| wrong(&error, file, &layers))?;
        config.with_files(&layers)
    }

    /// Reads the settings that are in files of their own, and checks what concerns several settings.
    fn with_files(mut self, layers: &[Table]) -> Result<Self, ConfigError> {
        self.database_url = either(layers, "database_url", self.database_url, self.database_url_file.take())?;
        self.admin_key = either(layers, "admin_key", self.admin_key, self.admin_key_file.take())?;
        self.secret_key = either(layers, "secret_key", self.secret_key, self.secret_key_file.take())?;
        let previous = (self.previous_secret_keys, self.previous_secret_keys_file.take());
        self.previous_secret_keys = either(layers, "previous_secret_keys", previous.0, previous.1)?;
        self.tls()?;
        if let Some(url) = &self.database_url {
            let url = url.expose_secret();
            let known = ["sqlite://", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
            if !known {
                return Err(ConfigError::Value("database_url must begin with sqlite:// or postgres://".to_owned()));
            }
            if self.secret_key.is_none() && !url.starts_with("sqlite://") {
                return Err(ConfigError::NoSecretKey);
            }
        }
        Ok(self)
    }

    /// Returns the URL of the database.
    #[must_use]
    pub fn database_url(&self) -> String {
        let default = || format!("sqlite://{}", self.data_dir.join("trunkline.db").display());
        self.database_url.as_ref().map_or_else(default, |url| url.expose_secret().to_owned())
    }

    /// Returns the files of the certificate and its key, or None without TLS.
    ///
    /// # Errors
    /// Returns an error if only one of the two is set, or clients need certificates without TLS or without a CA.
    pub fn tls(&self) -> Result<Option<TlsFiles>, ConfigError> {
        let wrong = |text: &str| Err(ConfigError::Value(text.to_owned()));
        if self.tls_client_auth.is_some() && self.tls_client_ca.is_none() {
            return wrong("tls_client_auth needs tls_client_ca, the file of the CAs that sign clients' certificates");
        }
        match (&self.tls_cert, &self.tls_key) {
            (None, None) if self.tls_client_ca.is_some() => wrong("tls_client_ca needs tls_cert and tls_key"),
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca: self.tls_client_ca.clone(),
                client_auth: self.tls_client_auth.unwrap_or_default(),
            })),
            (Some(_), None) | (None, Some(_)) => {
                wrong("tls_cert and tls_key must be set together; set both or neither")
            }
        }
    }

    /// Checks that the address is served with TLS, or cannot be reached by other machines.
    ///
    /// # Errors
    /// Returns an error if neither is true, unless `insecure_public` allows that.
    pub fn check_public(&self) -> Result<(), ConfigError> {
        let is_safe = self.tls_cert.is_some() || self.insecure_public.0 || !is_public(self.listen);
        if is_safe { Ok(()) } else { Err(ConfigError::InsecurePublic(self.listen)) }
    }

    /// Returns the settings of who may connect, how often, and how long a client may take.
    #[must_use]
    pub fn doors(&self) -> Doors {
        Doors {
            max_connections: self.max_connections,
            max_connections_per_source: self.max_connections_per_source,
            max_handshakes_per_source: self.max_handshakes_per_source,
            max_new_connections_per_source: self.max_new_connections_per_source,
            max_streams_per_client: self.max_streams_per_client,
            max_bodies_per_client: self.max_bodies_per_client,
            handshake_timeout: self.handshake_timeout,
            header_timeout: self.header_timeout,
            body_timeout: self.body_timeout,
            idle_timeout: self.idle_timeout,
            write_timeout: self.write_timeout,
        }
    }

    /// Returns the configured admin key, if there is one.
    #[must_use]
    pub fn admin_key(&self) -> Option<SecretString> {
        self.admin_key.clone()
    }

    /// Returns the configured key for secrets in the store, if there is one.
    #[must_use]
    pub fn secret_key(&self) -> Option<SecretString> {
        self.secret_key.clone()
    }

    /// Returns the configured earlier keys, which open secrets and seal none.
    #[must_use]
    pub fn previous_secret_keys(&self) -> Vec<SecretString> {
        let keys = self.previous_secret_keys.iter();
        let keys = keys.flat_map(|keys| keys.expose_secret().split(|c: char| c == ',' || c.is_whitespace()));
        keys.filter(|key| !key.is_empty()).map(Into::into).collect()
    }

    /// Returns the name of this node, which is the host's name if none is set.
    #[must_use]
    pub fn node_name(&self) -> String {
        self.node_name.clone().unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
    }
}

/// Returns the settings among the variables, each as text: a key or a name of digits is not a number. An empty variable
/// counts as unset, because container files cannot unset one otherwise.
fn from_environment(
    variables: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
) -> BTreeMap<String, String> {
    let ours = variables.filter_map(|(name, value)| {
        let key = name.to_str()?.strip_prefix("TRUNKLINE_")?.to_ascii_lowercase();
        let ours = !NOT_OURS.contains(&key.as_str()) && !key.starts_with(OF_TESTS) && !value.is_empty();
        ours.then(|| (key, value.to_string_lossy().into_owned()))
    });
    ours.collect()
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Into::into))
}

fn longest_call() -> u32 {
    longest_call::DEFAULT_SECONDS
}

fn new_destination_calls() -> i32 {
    brake::DEFAULT_LIMIT
}

/// Reads a number of seconds, at least 1, which is a text in a variable.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let seconds = whole(deserializer)?.filter(|seconds| *seconds > 0);
    seconds.ok_or_else(|| serde::de::Error::custom("must be a whole number from 1"))
}

/// Reads a number from 0, which is a text in a variable.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let number = whole(deserializer)?.and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| serde::de::Error::custom("must be a whole number from 0 to 2147483647"))
}

fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a whole number")]
    enum Given {
        Number(u32),
        Text(String),
    }
    Ok(match Given::deserialize(deserializer)? {
        Given::Number(number) => Some(number),
        Given::Text(text) => text.parse().ok(),
    })
}

/// Reads networks from a list of texts, or from one text with commas in between.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Networks, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a network, or a list of networks")]
    enum Given {
        Text(String),
        List(Vec<String>),
    }
    let texts = match Given::deserialize(deserializer)? {
        Given::Text(text) => text.split(',').map(|text| text.trim().to_owned()).collect(),
        Given::List(list) => list,
    };
    Networks::parse(&texts).map_err(|(place, why)| serde::de::Error::custom(format!("`{}` {why}", texts[place])))
}

/// Returns a setting or the text of its file, whichever of the two the last layer gives. One layer must not give both.
fn either(
    layers: &[Table],
    name: &'static str,
    value: Option<SecretString>,
    file: Option<PathBuf>,
) -> Result<Option<SecretString>, ConfigError> {
    let name_of_file = format!("{name}_file");
    let mut from_file = false;
    for layer in layers {
        match (layer.contains_key(name), layer.contains_key(&name_of_file)) {
            (true, true) => return Err(ConfigError::Twice(name)),
            (false, false) => {}
            (_, in_file) => from_file = in_file,
        }
    }
    match file.filter(|_| from_file) {
        Some(path) => Ok(Some(read(&path)?.trim().into())),
        None => Ok(value),
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })
}

/// The configuration file, and where it is.
#[derive(Clone, Copy)]
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    /// Returns the place of the bytes before which so many others are, for an error.
    fn place(&self, offset: usize) -> String {
        let line = self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        format!("{}:{line}", self.path.display())
    }

    fn not_toml(&self, error: &toml::de::Error) -> ConfigError {
        let place = self.place(error.span().map_or(0, |span| span.start));
        ConfigError::Value(format!("{place}: {}", error.message()))
    }

    /// Returns the place where a key is set.
    fn place_of(&self, key: &str) -> String {
        let sets = |line: &&str| {
            let name = line.split('=').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
            name == key || name.strip_prefix('[').is_some_and(|table| table.trim_end_matches(']').trim() == key)
        };
        let before = self.text.split_inclusive('\n').take_while(|line| !sets(line)).map(str::len).sum();
        self.place(before)
    }
}

/// The error of a setting: its key, the last layer that has it, and what is wrong with the value.
fn wrong(error: &serde_path_to_error::Error<toml::de::Error>, file: File<'_>, layers: &[Table]) -> ConfigError {
    let message = error.inner().message();
    // An unknown key is not part of the path.
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    let key = unknown.map_or_else(|| error.path().to_string(), str::to_owned);
    let variable = format!("in the environment, TRUNKLINE_{}", key.to_ascii_uppercase());
    let places = [format!("in {}", file.place_of(&key)), variable, "in the flags".to_owned()];
    match places.iter().zip(layers).rfind(|(_, layer)| layer.contains_key(&key)) {
        Some((place, _)) => ConfigError::Value(format!("{key} {place}: {message}")),
        None => ConfigError::Value(format!("{key}: {message}")),
    }
}

fn one_line(error: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::Value(error.to_string().replace('\n', " "))
}

#[cfg(test)]
mod tests;
