//! The connection of a client command to the server, over gRPC.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};
use tower::service_fn;

use super::fault::{Fault, causes};
use super::output::Output;
use super::trusted::Trusted;
use crate::api::server::MAX_GRPC_MESSAGE;
use crate::pb::admin_service_client::AdminServiceClient;
use crate::pb::call_service_client::CallServiceClient;
use crate::pb::client_service_client::ClientServiceClient;
use crate::pb::queue_service_client::QueueServiceClient;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a response may take to begin. This is longer than the server's own limit.
const ANSWER: Duration = Duration::from_secs(60);

/// How often an idle connection is pinged, so that a watcher notices a server that vanished without closing it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The flags of every client command: the address of the server, and the API key.
#[derive(Clone, clap::Args)]
pub struct Remote {
    /// The URL of the server, with http:// or https://
    #[arg(long, global = true, env = "TRUNKLINE_URL", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    // Not with clap's `env`, because a flag overrides both variables, and not only its own.
    /// The API key; safer in TRUNKLINE_API_KEY, because other users of the machine can see this flag
    #[arg(long, global = true, value_name = "KEY", conflicts_with = "api_key_file")]
    api_key: Option<String>,
    /// A file with the API key; TRUNKLINE_API_KEY_FILE names one too
    #[arg(long, global = true, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// A file with the certificate of the server or of its CA, besides those that this machine trusts
    #[arg(long, global = true, env = "TRUNKLINE_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Print JSON as the REST API returns it
    #[arg(long, global = true)]
    json: bool,
}

/// A connection to the server, and how its responses are printed.
#[derive(Clone)]
pub struct Session {
    service: Keyed,
    /// Prints responses as the flags ask for.
    pub out: Output,
}

/// A connection that adds the API key to each request.
type Keyed = InterceptedService<Channel, WithKey>;

/// Adds the API key to a request.
#[derive(Clone)]
pub struct WithKey(MetadataValue<Ascii>);

impl Interceptor for WithKey {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("x-api-key", self.0.clone());
        Ok(request)
    }
}

impl Remote {
    /// Returns what prints responses.
    pub fn output(&self) -> Output {
        Output::new(self.json)
    }

    /// Returns the URL of the server.
    pub fn url(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    /// Connects to the server.
    ///
    /// # Errors
    /// Returns [`Fault::Usage`] if there is no key or the URL is malformed, and [`Fault::NotReachable`] if nothing
    /// answers.
    pub async fn connect(&self) -> Result<Session, Fault> {
        let key = self.key()?;
        let mut key: MetadataValue<Ascii> = key
            .parse()
            .map_err(|_| Fault::Usage("the API key contains characters that no key may contain".to_owned()))?;
        key.set_sensitive(true);
        let endpoint = self.endpoint()?;
        let connected = match self.trusted()? {
            // tonic speaks TLS itself if it is told https.
            Some(trusted) => {
                let origin = endpoint.uri().clone();
                let plain = self.url.replacen("https://", "http://", 1);
                let plain = Endpoint::from_shared(plain).map_err(|error| Fault::Usage(causes(&error)))?;
                let connect = service_fn(move |_| trusted.clone().connect(origin.clone()));
                timed(plain.origin(endpoint.uri().clone())).connect_with_connector(connect).await
            }
            None => endpoint.connect().await,
        };
        let channel = connected.map_err(|error| {
            let why = causes(&error);
            let hint = if ["UnknownIssuer", "CaUsedAsEndEntity"].iter().any(|it| why.contains(it)) {
                "this machine does not trust the server's certificate: name it, or its CA's, with --ca FILE"
            } else if why.contains("invalid peer certificate") {
                "the server's certificate cannot be verified: is --url the name that it is for, and is it still valid?"
            } else {
                "is the server running, and is --url (or TRUNKLINE_URL) right?"
            };
            Fault::NotReachable { message: format!("cannot reach {}: {why}", self.url), hint }
        })?;
        Ok(Session { service: InterceptedService::new(channel, WithKey(key)), out: self.output() })
    }

    fn endpoint(&self) -> Result<Endpoint, Fault> {
        let wrong = |why: &str| Fault::Usage(format!("--url {}: {why}", self.url));
        let endpoint = Endpoint::from_shared(self.url.clone()).map_err(|error| wrong(&causes(&error)))?;
        let endpoint = timed(endpoint);
        match endpoint.uri().scheme_str() {
            Some("http") if endpoint.uri().host().is_some() => Ok(endpoint),
            Some("https") => {
                endpoint.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(|error| wrong(&causes(&error)))
            }
            _ => Err(wrong("must begin with http:// or https://, such as http://127.0.0.1:8080")),
        }
    }

    /// Returns what connects with the certificates of `--ca`; None without it, or without TLS.
    fn trusted(&self) -> Result<Option<Trusted>, Fault> {
        let file = self.ca.as_deref().filter(|_| self.url.starts_with("https://"));
        file.map(Trusted::read).transpose()
    }

    fn key(&self) -> Result<String, Fault> {
        let flags = (self.api_key.clone(), self.api_key_file.clone());
        let given = match flags {
            (None, None) => {
                (std::env::var("TRUNKLINE_API_KEY").ok(), std::env::var_os("TRUNKLINE_API_KEY_FILE").map(PathBuf::from))
            }
            flags => flags,
        };
        match given {
            (Some(key), None) if !key.trim().is_empty() => Ok(key.trim().to_owned()),
            (None, Some(path)) => read_text(&path),
            (Some(_), Some(_)) => {
                Err(Fault::Usage("TRUNKLINE_API_KEY and TRUNKLINE_API_KEY_FILE are both set; set one".to_owned()))
            }
            (_, None) => Err(Fault::Usage(
                "no API key: set TRUNKLINE_API_KEY, or give --api-key or --api-key-file. An admin key is in \
                 `admin.key` in the server's data directory; `trunkline serve --sandbox` prints a client's key"
                    .to_owned(),
            )),
        }
    }
}

fn timed(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true)
}

/// Reads a file, such as a secret or a policy, without the white space around its text. `-` is standard input.
///
/// # Errors
/// Returns [`Fault::Usage`] if the file cannot be read or is empty.
pub fn read_text(path: &Path) -> Result<String, Fault> {
    let read =
        if path == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    let text = read.map_err(|error| Fault::Usage(format!("cannot read {}: {error}", path.display())))?;
    let text = text.trim();
    if text.is_empty() {
        let empty = std::io::Error::from(ErrorKind::UnexpectedEof);
        return Err(Fault::Usage(format!("cannot read {}: {empty}", path.display())));
    }
    Ok(text.to_owned())
}

impl Session {
    /// Returns a client of the administration service.
    pub fn admin(&self) -> AdminServiceClient<Keyed> {
        AdminServiceClient::new(self.service.clone()).max_decoding_message_size(MAX_GRPC_MESSAGE)
    }

    /// Returns a client of the service for single calls and the live stream.
    pub fn calls(&self) -> CallServiceClient<Keyed> {
        CallServiceClient::new(self.service.clone()).max_decoding_message_size(MAX_GRPC_MESSAGE)
    }

    /// Returns a client of the service that tells a client about itself.
    pub fn clients(&self) -> ClientServiceClient<Keyed> {
        ClientServiceClient::new(self.service.clone()).max_decoding_message_size(MAX_GRPC_MESSAGE)
    }

    /// Returns a client of the service for queues and batches.
    pub fn queues(&self) -> QueueServiceClient<Keyed> {
        QueueServiceClient::new(self.service.clone()).max_decoding_message_size(MAX_GRPC_MESSAGE)
    }
}
