//! Attacks on the server, by someone without a key or by one client.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use trunkline::api::auth::{ApiKey, KeyKind};

use crate::support::server::Server;
use crate::support::wire;

const HALF_OPEN: usize = 5000;
const SILENT: usize = 1100;
const STREAMS: usize = 2000;
const WRONG_KEYS_A_SECOND: usize = 10_000;
/// How many connections send resets or keys at one time.
const PARALLEL: usize = 16;
/// How many connections send bodies at one time.
const BODIES: usize = 4;

/// An attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    HalfOpen,
    HalfOpenMany,
    Tls,
    Streams,
    Brackets,
    Gzip,
    Reset,
    Keys,
}

/// An attack that is running.
pub struct Running {
    tasks: JoinSet<()>,
    seen: Arc<Seen>,
}

/// What the attacker sees.
#[derive(Default)]
struct Seen {
    sent: AtomicUsize,
    closed: AtomicUsize,
    refused: AtomicUsize,
}

impl Attack {
    pub const ALL: [Self; 8] = [
        Self::HalfOpen,
        Self::HalfOpenMany,
        Self::Tls,
        Self::Streams,
        Self::Brackets,
        Self::Gzip,
        Self::Reset,
        Self::Keys,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::HalfOpen => "half-open",
            Self::HalfOpenMany => "half-open-many",
            Self::Tls => "tls",
            Self::Streams => "streams",
            Self::Brackets => "brackets",
            Self::Gzip => "gzip",
            Self::Reset => "reset",
            Self::Keys => "keys",
        }
    }

    pub const fn what(self) -> &'static str {
        match self {
            Self::HalfOpen => "5,000 connections of one source with half a request each, opened again when closed",
            Self::HalfOpenMany => "the same from twenty sources",
            Self::Tls => "1,100 silent TLS handshakes of one source every 10 s",
            Self::Streams => "2,000 streams after=0 of one client that does not read them",
            Self::Brackets => "bodies of 8 MiB of [ from 4 connections of one client",
            Self::Gzip => "gzip bombs of 1 GiB from 4 connections of one client",
            Self::Reset => "HTTP/2 rapid reset from 16 connections of one source",
            Self::Keys => "10,000 wrong keys a second from 16 connections of one source",
        }
    }

    /// Starts the attack with the key of a client, from addresses of its own.
    pub fn start(self, server: &Server, key: &str) -> Running {
        let (mut tasks, seen, to) = (JoinSet::new(), Arc::<Seen>::default(), server.address());
        match self {
            Self::HalfOpen | Self::HalfOpenMany => {
                let sources = if self == Self::HalfOpen { 1 } else { 20 };
                for source in 0..sources {
                    tasks.spawn(half_open(to, 10 + source, HALF_OPEN / usize::from(sources), Arc::clone(&seen)));
                }
            }
            Self::Tls => drop(tasks.spawn(silent(to, Arc::clone(&seen)))),
            Self::Streams => drop(tasks.spawn(streams(to, key.to_owned(), Arc::clone(&seen)))),
            Self::Brackets | Self::Gzip => {
                let (body, encoding) = if self == Self::Brackets { (brackets(), "") } else { (bomb(), GZIP) };
                let head = format!(
                    "POST /calling/api/v1/queues/insertdataincallqueue HTTP/1.1\r\nHost: localhost\r\n\
                     X-API-KEY: {key}\r\nContent-Type: application/json\r\n{encoding}Content-Length: {}\r\n\r\n",
                    body.len()
                );
                let request: Arc<[u8]> = [head.into_bytes(), body].concat().into();
                for _ in 0..BODIES {
                    tasks.spawn(repeat(to, Arc::clone(&request), Arc::clone(&seen)));
                }
            }
            Self::Reset => {
                for _ in 0..PARALLEL {
                    tasks.spawn(rapid_reset(to, Arc::clone(&seen)));
                }
            }
            Self::Keys => {
                for _ in 0..PARALLEL {
                    tasks.spawn(wrong_keys(to, Arc::clone(&seen)));
                }
            }
        }
        Running { tasks, seen }
    }
}

impl Running {
    /// Ends the attack, and returns what the attacker has seen.
    pub async fn stop(mut self) -> String {
        self.tasks.shutdown().await;
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let Seen { sent, closed, refused } = &*self.seen;
        format!("{} sent, {} closed by the server, {} refused", count(sent), count(closed), count(refused))
    }
}

fn add(count: &AtomicUsize) {
    count.fetch_add(1, Ordering::Relaxed);
}

async fn half_open(to: SocketAddr, from: u8, count: usize, seen: Arc<Seen>) {
    let half = b"POST /calling/api/v1/queues/insertquickcall HTTP/1.1\r\nHost: localhost\r\nX-API-";
    let mut open: Vec<TcpStream> = Vec::new();
    let mut tick = interval(Duration::from_millis(20));
    loop {
        tick.tick().await;
        open.retain(|stream| {
            let is_open = stream.try_read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            if !is_open {
                add(&seen.closed);
            }
            is_open
        });
        // Fifty times a second, so that they are spread over the second as those of many senders are.
        for _ in open.len()..count.min(open.len() + count.div_ceil(50)) {
            open.push(wire::sent_from(wire::source(from), to, half).await);
            add(&seen.sent);
        }
    }
}

async fn silent(to: SocketAddr, seen: Arc<Seen>) {
    let mut tick = interval(Duration::from_secs(10));
    let mut kept: Vec<TcpStream> = Vec::new();
    loop {
        tick.tick().await;
        let closed = kept.iter().filter(|stream| stream.try_read(&mut [0]).is_ok()).count();
        seen.closed.fetch_add(closed, Ordering::Relaxed);
        kept.clear();
        for _ in 0..SILENT {
            kept.push(wire::connect_from(wire::source(10), to).await);
            add(&seen.sent);
        }
    }
}

async fn streams(to: SocketAddr, key: String, seen: Arc<Seen>) {
    let request =
        format!("GET /calling/api/v1/calls/watch?after=0 HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {key}\r\n\r\n");
    let mut kept = Vec::new();
    for number in 0..STREAMS {
        let mut stream = wire::sent_from(wire::source(10 + (number % 4) as u8), to, request.as_bytes()).await;
        add(&seen.sent);
        let mut start = [0; 12];
        match stream.read_exact(&mut start).await {
            Ok(_) if &start == b"HTTP/1.1 200" => kept.push(stream),
            Ok(_) => add(&seen.refused),
            Err(_) => add(&seen.closed),
        }
    }
    std::future::pending::<()>().await;
}

const GZIP: &str = "Content-Encoding: gzip\r\n";

fn brackets() -> Vec<u8> {
    vec![b'['; 8 * 1024 * 1024]
}

fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![b' '; 1024 * 1024];
    for _ in 0..1024 {
        encoder.write_all(&zeros).expect("memory");
    }
    encoder.finish().expect("memory")
}

/// Sends the same request on a new connection again and again.
async fn repeat(to: SocketAddr, request: Arc<[u8]>, seen: Arc<Seen>) {
    loop {
        let mut stream = wire::sent_from(wire::source(10), to, &request).await;
        add(&seen.sent);
        let mut start = [0; 12];
        match stream.read_exact(&mut start).await {
            Ok(_) if start.starts_with(b"HTTP/1.1 4") => add(&seen.refused),
            Ok(_) => {}
            Err(_) => add(&seen.closed),
        }
    }
}

/// Opens streams and resets each at once, until the server ends the connection.
async fn rapid_reset(to: SocketAddr, seen: Arc<Seen>) {
    // GET, http, /readyz, localhost; the first two are in HPACK's table.
    let block = [&[0x82, 0x86, 0x04, 7][..], b"/readyz", &[0x01, 9], b"localhost"].concat();
    loop {
        let stream = wire::sent_from(wire::source(10), to, wire::PREFACE).await;
        let (mut read, mut write) = stream.into_split();
        let reading = tokio::spawn(async move { tokio::io::copy(&mut read, &mut tokio::io::sink()).await });
        let mut id = 1_u32;
        loop {
            let mut frames = Vec::new();
            for _ in 0..50 {
                frames.extend([0, 0, block.len() as u8, 1, 0x05]);
                frames.extend(id.to_be_bytes());
                frames.extend(&block);
                frames.extend([0, 0, 4, 3, 0]);
                frames.extend(id.to_be_bytes());
                frames.extend([0, 0, 0, 8]);
                id += 2;
            }
            if reading.is_finished() || write.write_all(&frames).await.is_err() {
                break;
            }
            seen.sent.fetch_add(50, Ordering::Relaxed);
        }
        add(&seen.closed);
        reading.abort();
    }
}

async fn wrong_keys(to: SocketAddr, seen: Arc<Seen>) {
    let keys: Vec<String> =
        (0..200).map(|_| ApiKey::generate(KeyKind::Live).plaintext.expose_secret().to_owned()).collect();
    let mut tick = interval(Duration::from_secs(1) * PARALLEL as u32 / WRONG_KEYS_A_SECOND as u32);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut kept = None;
    for key in keys.iter().cycle() {
        tick.tick().await;
        let request = format!(
            "GET /calling/api/v1/clients/test-connection HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {key}\r\n\r\n"
        );
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => wire::connect_from(wire::source(10), to).await,
        };
        add(&seen.sent);
        let sent = stream.write_all(request.as_bytes()).await;
        // The end of the body of an error.
        match sent.is_ok() {
            true => match wire::read_until(&mut stream, "\"data\":null}").await {
                Some(_) => {
                    add(&seen.refused);
                    kept = Some(stream);
                }
                None => add(&seen.closed),
            },
            false => add(&seen.closed),
        }
    }
}
