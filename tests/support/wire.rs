//! Connections that send and receive bytes as they are, from any address of this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::wait::PATIENCE;

/// A request for a small answer on a connection that stays open.
pub const HEALTHZ: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The bytes with which a client of HTTP/2 begins, with empty settings.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Returns the address 127.0.0.`last`, from which a connection counts as one from another machine than 127.0.0.1.
pub fn source(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// Opens a connection from an address.
pub async fn connect_from(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("an address of this machine");
    socket.connect(to).await.expect("a connection")
}

/// Opens a connection from an address and sends bytes. The server may close it meanwhile.
pub async fn sent_from(from: IpAddr, to: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = connect_from(from, to).await;
    let _ = stream.write_all(bytes).await;
    stream
}

/// Reads until the other end closes the connection, and returns what was received.
pub async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut received = Vec::new();
    // A reset is an end, too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut received)).await.expect("the other end closes the connection");
    received
}

/// Reads until what was received contains `text`. Returns None if the connection is closed before that.
pub async fn read_until(stream: &mut (impl AsyncRead + Unpin), text: &str) -> Option<String> {
    let mut received = Vec::new();
    let found = async {
        while !String::from_utf8_lossy(&received).contains(text) {
            if stream.read_buf(&mut received).await.unwrap_or(0) == 0 {
                return None;
            }
        }
        Some(String::from_utf8_lossy(&received).into_owned())
    };
    timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("waited in vain for {text:?}"))
}

/// Requests `/healthz` on an open connection. Returns false if the server closes the connection.
pub async fn is_served(stream: &mut TcpStream) -> bool {
    stream.write_all(HEALTHZ).await.is_ok() && read_until(stream, "\r\n\r\nok").await.is_some()
}

/// Requests `/healthz` on a new connection from an address.
pub async fn is_served_from(from: IpAddr, to: SocketAddr) -> bool {
    is_served(&mut connect_from(from, to).await).await
}

/// Lets this process open as many files as the system allows.
pub fn open_many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("a higher limit");
}
