//! The flags of commands that use the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::doors::ClientAuth;

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines of text, for people
    Text,
    /// JSON objects, for programs
    Json,
}

/// The flags that override the file and the variables. They have no `Debug`, because the database URL may contain a
/// password.
#[derive(Clone, Default, Serialize, clap::Args)]
pub struct Flags {
    /// The configuration file in TOML [env: TRUNKLINE_CONFIG]
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// The address to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// The database: sqlite://PATH or postgres://… [default: SQLite in the data directory]
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    /// The directory for keys and the default database [default: ./trunkline-data]
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// A file with the certificate chain in PEM, which turns TLS on
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// A file with the private key of the certificate in PEM
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// A file with the certificates in PEM that sign the certificates of clients
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_ca: Option<PathBuf>,
    /// Which clients need a certificate [default: required, with --tls-client-ca]
    #[arg(long, value_name = "WHO")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth: Option<ClientAuth>,
    /// Serve a public address without TLS: keys and phone numbers can be read on the way
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub insecure_public: bool,
    /// The address to serve /metrics on, in place of the API's address
    #[arg(long, value_name = "ADDR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_listen: Option<SocketAddr>,
    /// The networks of reverse proxies whose X-Forwarded-For or Forwarded is believed, with commas in between
    /// [default: none]
    #[arg(long, value_name = "NETWORKS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_proxies: Option<String>,
    /// Allow webhooks to post to http:// URLs: events can be read and altered on the way
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub webhook_http: bool,
    /// The networks besides public addresses that webhooks may post to, with commas in between [default: none]
    #[arg(long, value_name = "NETWORKS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_networks: Option<String>,
    /// The name of this node [default: the host's name]
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// The seconds that a call may take [default: 14400]
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_call_seconds: Option<u32>,
    /// The calls to new destinations of a client on one day (UTC), 0 for any number [default: 100]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brake_new_destination_calls: Option<u32>,
    /// The filter for log lines [default: info]
    #[arg(long, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The format of log lines [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
}
