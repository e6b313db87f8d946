//! Sends one signed POST and classifies the response.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::rustls::{self, RootCertStore};
use tower::Service;

use super::sign::Signer;
use super::target::Permitted;
use crate::domain::time::Millis;
use crate::tls;

/// How long a POST may take, from looking up the host's name to the end of the response.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// How much of a response's body is read, in bytes, so that its connection can serve the next event.
const BODY: usize = 64 * 1024;

/// How long a connection is kept for the next event. This is less than the 5 s after which common servers close theirs,
/// so that no event is sent on a connection that is being closed.
const IDLE: Duration = Duration::from_secs(4);

/// How much of a reason for a failure is kept, in characters.
const REASON: usize = 300;

/// The user agent in each POST.
const USER_AGENT: &str = concat!("trunkline/", env!("CARGO_PKG_VERSION"));

/// Connects to the hosts of URLs, as far as that is permitted.
#[derive(Clone)]
struct Connector(Arc<Permitted>);

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let permitted = Arc::clone(&self.0);
        Box::pin(async move { permitted.connect(&uri).await.map(TokioIo::new) })
    }
}

/// Posts to any number of receivers at once. Redirects are not followed, and no proxy is used.
#[derive(Clone)]
pub struct Poster {
    client: Client<HttpsConnector<Connector>, Full<Bytes>>,
    permitted: Arc<Permitted>,
}

/// A message to be posted.
pub struct Message<'a> {
    /// The URL of the receiver.
    pub url: &'a Uri,
    /// The id of the message, by which a receiver recognises repetitions: every try of one event to one webhook has the
    /// same.
    pub id: &'a str,
    /// The event as JSON.
    pub body: Bytes,
}

/// The result of a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status of 2xx: the receiver has the message.
    Taken(StatusCode),
    /// Status 410: the receiver never wants a message again.
    Gone,
    /// Any other status of a response.
    Refused(StatusCode),
    /// No response, and the reason. It contains neither the path nor the query of the URL.
    Nothing(String),
}

impl Answer {
    /// Returns the HTTP status, if there was a response.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Taken(status) | Self::Refused(status) => Some(*status),
            Self::Gone => Some(StatusCode::GONE),
            Self::Nothing(_) => None,
        }
    }

    /// Describes what went wrong, or returns None if the receiver has the message.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        match self {
            Self::Taken(_) => None,
            Self::Gone => Some("the receiver answered 410: it is gone for good".to_owned()),
            Self::Refused(status) if status.is_redirection() => {
                Some(format!("the receiver answered {}, and redirects are not followed", status.as_u16()))
            }
            Self::Refused(status) => Some(format!("the receiver answered {}", status.as_u16())),
            Self::Nothing(why) => Some(why.clone()),
        }
    }
}

impl Poster {
    /// Builds a poster that trusts the root certificates of this machine and connects where that is permitted.
    ///
    /// # Errors
    /// Returns an error if TLS cannot be set up.
    pub fn new(permitted: Permitted) -> Result<Self, rustls::Error> {
        Self::trusting(tls::system_roots(), permitted)
    }

    fn trusting(roots: RootCertStore, permitted: Permitted) -> Result<Self, rustls::Error> {
        let permitted = Arc::new(permitted);
        let https = HttpsConnector::from((Connector(Arc::clone(&permitted)), Arc::new(tls::client(roots)?)));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(4)
            .build(https);
        Ok(Self { client, permitted })
    }

    /// Returns what URLs and addresses are permitted.
    #[must_use]
    pub fn permitted(&self) -> &Permitted {
        &self.permitted
    }

    /// Signs and posts a message, and waits for the response for at most [`TIMEOUT`].
    pub async fn post(&self, signer: &Signer, message: Message<'_>) -> Answer {
        let deadline = Instant::now() + TIMEOUT;
        let request = match signed(signer, message) {
            Ok(request) => request,
            Err(error) => return Answer::Nothing(error.to_string()),
        };
        let response = match timeout_at(deadline, self.client.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Answer::Nothing(reason(&error)),
            Err(_) => return Answer::Nothing(format!("no answer within {} seconds", TIMEOUT.as_secs())),
        };
        let (head, body) = response.into_parts();
        // Only the status counts. If the body is too long or does not end, only the connection is lost.
        let _ = timeout_at(deadline, Limited::new(body, BODY).collect()).await;
        match head.status {
            status if status.is_success() => Answer::Taken(status),
            StatusCode::GONE => Answer::Gone,
            status => Answer::Refused(status),
        }
    }
}

fn signed(signer: &Signer, message: Message<'_>) -> http::Result<Request<Full<Bytes>>> {
    let seconds = Millis::now().0 / 1000;
    Request::post(message.url)
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(header::USER_AGENT, HeaderValue::from_static(USER_AGENT))
        .header("webhook-id", message.id)
        .header("webhook-timestamp", seconds)
        .header("webhook-signature", signer.sign(message.id, seconds, &message.body))
        .body(Full::new(message.body))
}

/// Describes why there was no response, with all causes.
fn reason(error: &hyper_util::client::legacy::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text.chars().take(REASON).collect()
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::domain::networks::Networks;
    use crate::webhooks::sign;

    const CERTIFICATE: &[u8] = include_bytes!("../../tests/data/tls/localhost.pem");
    const KEY: &[u8] = include_bytes!("../../tests/data/tls/localhost.key");

    fn loopback() -> Permitted {
        Permitted { http: true, networks: Networks::parse(["127.0.0.1", "::1"]).unwrap() }
    }

    async fn posted(poster: &Poster, url: &str) -> Answer {
        let signer = Signer::new(&sign::new_secret()).unwrap();
        poster.post(&signer, Message { url: &url.parse().unwrap(), id: "wh_1_2", body: "{}".into() }).await
    }

    /// Reads the first bytes of a request and sends a response.
    async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, response: &str) {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(response.as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    async fn receiver(response: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                answer(stream, &response).await;
            }
        });
        url
    }

    #[tokio::test]
    async fn only_the_status_decides_and_not_the_body() {
        let poster = Poster::new(loopback()).unwrap();
        for (head, expected) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", Answer::Taken(StatusCode::NO_CONTENT)),
            ("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", Answer::Gone),
            ("HTTP/1.1 500 Oh\r\ncontent-length: 9\r\n\r\nshort", Answer::Refused(StatusCode::INTERNAL_SERVER_ERROR)),
        ] {
            assert_eq!(posted(&poster, &receiver(head.to_owned()).await).await, expected, "{head}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n{}", "x".repeat(BODY * 4));
        assert_eq!(posted(&poster, &receiver(endless).await).await, Answer::Taken(StatusCode::OK));
        let no_http = posted(&poster, &receiver("Asterisk Call Manager/11.0.0\r\n\r\n".to_owned()).await).await;
        assert!(matches!(no_http, Answer::Nothing(_)), "{no_http:?}");
    }

    #[tokio::test]
    async fn an_address_that_is_not_permitted_gets_no_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let poster = Poster::new(Permitted { http: true, networks: Networks::default() }).unwrap();
        for host in ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]"] {
            let answer = posted(&poster, &format!("http://{host}:{port}/?token=t0ken")).await;
            let Answer::Nothing(why) = answer else { panic!("{host}: {answer:?}") };
            assert!(why.contains("must reach a public address") && !why.contains("t0ken"), "{host}: {why}");
        }
        let accepted = listener.into_std().unwrap().accept();
        assert!(matches!(&accepted, Err(error) if error.kind() == io::ErrorKind::WouldBlock), "{accepted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_is_silent_is_not_waited_for_longer_than_10_seconds() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/?token=t0ken", listener.local_addr().unwrap());
        let answer = posted(&Poster::new(loopback()).unwrap(), &url).await;
        assert_eq!(answer, Answer::Nothing("no answer within 10 seconds".to_owned()));
    }

    #[tokio::test]
    async fn a_receiver_must_show_a_certificate_that_is_trusted() {
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], PrivateKeyDer::from_pem_slice(KEY).unwrap())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                }
            }
        });
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let url = format!("https://localhost:{port}/?token=t0ken");
        assert_eq!(posted(&Poster::trusting(roots, loopback()).unwrap(), &url).await, Answer::Taken(StatusCode::OK));
        let stranger = posted(&Poster::new(loopback()).unwrap(), &url).await;
        assert!(
            matches!(&stranger, Answer::Nothing(why) if why.contains("certificate") && !why.contains("t0ken")),
            "{stranger:?}"
        );
    }
}
