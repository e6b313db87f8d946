//! The client that is not to notice an attack: what its requests take.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::server::Server;
use crate::support::wire;

/// The pause between two requests of a series, so that they measure the server and do not load it.
const PAUSE: Duration = Duration::from_millis(10);

/// A request that takes longer counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A client with a paused queue, which inserts calls, reads its queue and connects.
#[derive(Clone)]
pub struct Victim {
    address: std::net::SocketAddr,
    from: u8,
    tls: Option<TlsConnector>,
    key: String,
    queue_id: i64,
}

/// What the requests of one kind took.
pub struct Series {
    pub name: &'static str,
    pub failed: usize,
    /// In milliseconds, from the shortest to the longest.
    took: Vec<f64>,
}

impl Series {
    /// Returns the time within which this share of the requests was answered, in milliseconds.
    pub fn at(&self, share: f64) -> f64 {
        let last = self.took.len().saturating_sub(1);
        self.took.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
    }
}

impl Victim {
    /// Makes the client and its queue.
    pub async fn new(server: &Server, from: u8, is_tls: bool) -> Self {
        let mut victim =
            Self { address: server.address(), from, tls: is_tls.then(connector), key: server.admin_key(), queue_id: 0 };
        let new = json!({ "name": "other", "account_code": "other", "servers": ["server1"] });
        victim.key = victim.set_up("POST", "admin/clients", &new).await["api_key"].as_str().expect("a key").to_owned();
        let made = victim.set_up("POST", "queues/insertdataincallqueue", &victim.batch(1)).await;
        victim.queue_id = made["queue_id"].as_i64().expect("a queue");
        let path = format!("queues/updatequeuemaster/{}", victim.queue_id);
        victim.set_up("PUT", &path, &json!({ "queue_status": "paused" })).await;
        victim
    }

    /// Sends requests of each kind for a while.
    pub async fn measure(&self, time: Duration) -> Vec<Series> {
        let insert = tokio::spawn(self.clone().series("insert", time));
        let read = tokio::spawn(self.clone().series("read status", time));
        let connect = tokio::spawn(self.clone().series("connect and read status", time));
        vec![insert.await.expect("a series"), read.await.expect("a series"), connect.await.expect("a series")]
    }

    async fn series(self, name: &'static str, time: Duration) -> Series {
        let (began, mut pause) = (Instant::now(), interval(PAUSE));
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut took, mut failed, mut kept) = (Vec::new(), 0, None);
        let status = self.request("GET", &format!("queues/getqueuemaster/{}", self.queue_id), None);
        while began.elapsed() < time {
            pause.tick().await;
            let request = match name {
                "insert" => self.request(
                    "POST",
                    "queues/insertdataincallqueue",
                    Some(&self.batch(rand::random::<u32>().into())),
                ),
                _ => status.clone(),
            };
            if name.starts_with("connect") {
                kept = None;
            }
            let sent = Instant::now();
            let answered = timeout(PATIENCE, async {
                let mut stream = match kept.take() {
                    Some(stream) => stream,
                    None => self.connect().await?,
                };
                let (status, _) = exchange(&mut stream, &request).await?;
                (status == 200).then_some(stream)
            });
            match answered.await {
                Ok(Some(stream)) => {
                    took.push(sent.elapsed().as_secs_f64() * 1000.0);
                    kept = Some(stream);
                }
                Ok(None) | Err(_) => failed += 1,
            }
        }
        took.sort_by(f64::total_cmp);
        Series { name, failed, took }
    }

    fn batch(&self, batch_id: i64) -> Value {
        let action = json!({
            "Action": "Originate", "Channel": "PJSIP/1234567806@endpoint1", "Application": "Wait", "Data": "1",
        });
        let queue_id = (self.queue_id != 0).then_some(self.queue_id);
        json!({
            "batch_id": batch_id, "queue_id": queue_id,
            "data": [{ "asterisk_server_code": "server1", "action": action }],
        })
    }

    async fn set_up(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = self.connect().await.expect("a connection");
        let (status, body) = exchange(&mut stream, &self.request(method, path, Some(body))).await.expect("an answer");
        assert_eq!(status, 200, "{body}");
        body["data"].clone()
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Vec<u8> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let (key, length) = (&self.key, body.len());
        let head = format!(
            "{method} /calling/api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        [head, body].concat().into_bytes()
    }

    async fn connect(&self) -> Option<Box<dyn Stream>> {
        let stream = wire::connect_from(wire::source(self.from), self.address).await;
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => Some(Box::new(stream)),
            Some(tls) => {
                let name = ServerName::try_from("localhost").expect("a name");
                Some(Box::new(tls.connect(name, stream).await.ok()?))
            }
        }
    }
}

/// Sends a request, and returns the status and the body of its answer; None if the server closes the connection.
async fn exchange(stream: &mut Box<dyn Stream>, request: &[u8]) -> Option<(u16, Value)> {
    stream.write_all(request).await.ok()?;
    stream.flush().await.ok()?;
    let mut answer = Vec::new();
    loop {
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.expect("a length") {
            let status = head.split(' ').nth(1)?.parse().ok()?;
            let start = answer.len() - body.len();
            return Some((status, serde_json::from_slice(&answer[start..]).unwrap_or_default()));
        }
    }
}

fn connector() -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls/localhost.pem");
    roots.add(CertificateDer::from_pem_file(file).expect("a certificate")).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("TLS versions");
    TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
