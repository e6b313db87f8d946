//! Loopback ports that parallel tests, each a process of its own, do not take from each other.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below Linux's ephemeral ports, so that no outgoing connection takes one, and above [`RTP`].
const RANGE: std::ops::Range<u16> = 20_000..30_000;

/// Where Asterisk looks for RTP ports; it tries the next one itself when one is taken.
pub const RTP: std::ops::Range<u16> = 10_000..20_000;

/// A port that is free for TCP and UDP, kept for its holder until dropped.
///
/// Asking the kernel for any free port and releasing it again leaves a gap in which another test can take it, also between
/// the kill of a server and its restart. So ports go in pairs: the even one is handed out, the odd one beside it is held
/// open by the test process as the sign that the pair is taken. Nothing is left to clean up.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _taken: TcpListener,
}

impl Port {
    pub fn reserve() -> Self {
        // Processes begin at different places, so that they seldom try the same pair.
        static TURN: AtomicU16 = AtomicU16::new(0);
        let pairs = (RANGE.end - RANGE.start) / 2;
        let start = (std::process::id().wrapping_mul(37) % u32::from(pairs)) as u16;
        for _ in 0..pairs {
            let turn = TURN.fetch_add(1, Ordering::Relaxed);
            let number = RANGE.start + (start + turn % pairs) % pairs * 2;
            if let Ok(taken) = TcpListener::bind((Ipv4Addr::LOCALHOST, number + 1))
                && is_free(number)
            {
                return Self { number, _taken: taken };
            }
        }
        panic!("no free port in {RANGE:?}");
    }

    pub fn number(&self) -> u16 {
        self.number
    }
}

/// Whether nobody listens on this loopback port, neither by TCP nor by UDP.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
