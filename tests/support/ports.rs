//! Reserves loopback ports, so that parallel tests, each in its own process, do not take them from each other.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// The reserved ports: below Linux's ephemeral ports, so that no outgoing connection takes one, and above [`RTP`].
const RANGE: std::ops::Range<u16> = 20_000..30_000;

/// The ports that Asterisk uses for RTP. It tries the next one itself if one is in use.
pub const RTP: std::ops::Range<u16> = 10_000..20_000;

/// A port that is free for TCP and UDP, reserved until this is dropped.
///
/// Asking the kernel for any free port and closing it again leaves a gap in which another test can take it, and so does
/// the restart of a killed server. Therefore ports are reserved in pairs: the even one is handed out, and the test
/// process keeps the odd one open as the sign that the pair is in use. There is nothing to clean up.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _taken: TcpListener,
}

impl Port {
    pub fn reserve() -> Self {
        // Processes start at different places, so that they seldom try the same pair.
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

/// Returns true if no process listens on this loopback port, neither by TCP nor by UDP.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
