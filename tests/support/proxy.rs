//! A TCP proxy between the dialer and Asterisk that keeps every byte and can cause network faults.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::ports::Port;

/// The direction of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the dialer to Asterisk.
    Out,
    /// From Asterisk to the dialer.
    In,
}

/// The bytes of one read. Chunks are kept in the order in which they were received.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub at: Instant,
    pub connection: u64,
    pub way: Way,
    pub bytes: Vec<u8>,
    /// How many of the bytes were passed on.
    pub delivered: usize,
}

/// The state of the network that the proxy simulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Everything is passed on.
    Clear,
    /// Everything is passed on after this delay.
    Delay(Duration),
    /// Everything is read and nothing is passed on: the connections stay half-open.
    Swallow,
    /// New connections are refused.
    Closed,
}

/// Listens on loopback until it is dropped.
pub struct Proxy {
    port: Port,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: u16,
    state: Mutex<State>,
    log: Mutex<Vec<Chunk>>,
}

struct State {
    weather: Weather,
    connections: Vec<Connection>,
    /// Connections are cut after this many more bytes in this direction, often in the middle of a message.
    cut_after: Option<(Way, usize)>,
    /// True when no more connections are accepted.
    over: bool,
}

#[derive(Clone)]
struct Connection {
    ends: Arc<[TcpStream; 2]>,
    swallows: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts a proxy for the manager port `upstream`.
    pub fn start(upstream: u16) -> Self {
        let port = Port::reserve();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).expect("a reserved port");
        let state = State { weather: Weather::Clear, connections: Vec::new(), cut_after: None, over: false };
        let shared = Arc::new(Shared { upstream, state: Mutex::new(state), log: Mutex::default() });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for (number, stream) in (0..).zip(listener.incoming()) {
                let Ok(stream) = stream else { continue };
                if accepting.state().over {
                    return;
                }
                accepting.carry(number, stream);
            }
        });
        Self { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port.number()
    }

    pub fn set_weather(&self, weather: Weather) {
        let mut state = self.shared.state();
        state.weather = weather;
        if weather == Weather::Swallow {
            for connection in &state.connections {
                connection.swallows.store(true, Ordering::SeqCst);
            }
        }
    }

    /// Cuts every connection at once.
    pub fn cut(&self) {
        for connection in self.shared.state().connections.drain(..) {
            connection.cut();
        }
    }

    /// Cuts every connection after this many more bytes.
    pub fn cut_after(&self, way: Way, bytes: usize) {
        self.shared.state().cut_after = Some((way, bytes));
    }

    /// Returns everything that was received, oldest first.
    pub fn log(&self) -> Vec<Chunk> {
        self.shared.log().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state().over = true;
        self.cut();
        // The listener notices this at its next connection.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port())));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, Vec<Chunk>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forwards one connection in threads that end with it.
    fn carry(self: &Arc<Self>, number: u64, dialer: TcpStream) {
        let weather = self.state().weather;
        if weather == Weather::Closed {
            return;
        }
        let Ok(asterisk) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.upstream)) else { return };
        drop((dialer.set_nodelay(true), asterisk.set_nodelay(true)));
        let swallows = Arc::new(AtomicBool::new(weather == Weather::Swallow));
        let connection = Connection { ends: Arc::new([dialer, asterisk]), swallows };
        self.state().connections.push(connection.clone());
        for (way, from, to) in [(Way::Out, 0, 1), (Way::In, 1, 0)] {
            let (due, dues) = mpsc::channel();
            let (shared, reading) = (Arc::clone(self), connection.clone());
            thread::spawn(move || shared.read(number, way, &reading, from, &due));
            let (shared, writing) = (Arc::clone(self), connection.clone());
            thread::spawn(move || shared.write(way, &writing, to, dues));
        }
    }

    fn read(&self, connection: u64, way: Way, ends: &Connection, from: usize, due: &Sender<(Instant, usize)>) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read) = (&ends.ends[from]).read(&mut buffer)
            && read > 0
        {
            let at = Instant::now();
            let delay = match self.state().weather {
                Weather::Delay(delay) => delay,
                Weather::Clear | Weather::Swallow | Weather::Closed => Duration::ZERO,
            };
            let index = {
                let mut log = self.log();
                log.push(Chunk { at, connection, way, bytes: buffer[..read].to_vec(), delivered: 0 });
                log.len() - 1
            };
            if due.send((at + delay, index)).is_err() {
                break;
            }
        }
        // A half-open connection shows the other end nothing, not even its end. Bytes that have not been passed on when
        // one end closes are lost.
        if !ends.swallows.load(Ordering::SeqCst) {
            ends.cut();
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this thread delays the bytes of a connection")]
    fn write(&self, way: Way, ends: &Connection, to: usize, dues: Receiver<(Instant, usize)>) {
        for (due, index) in dues {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if ends.swallows.load(Ordering::SeqCst) {
                continue;
            }
            let bytes = self.log()[index].bytes.clone();
            let (pass, cut) = self.budget(way, bytes.len());
            if (&ends.ends[to]).write_all(&bytes[..pass]).is_err() {
                return;
            }
            self.log()[index].delivered = pass;
            if cut {
                return self.state().connections.drain(..).for_each(|connection| connection.cut());
            }
        }
    }

    /// Returns how many of `bytes` pass before a requested cut, and whether the cut is due.
    fn budget(&self, way: Way, bytes: usize) -> (usize, bool) {
        let mut state = self.state();
        match state.cut_after {
            Some((cut, left)) if cut == way && left <= bytes => {
                state.cut_after = None;
                (left, true)
            }
            Some((cut, left)) if cut == way => {
                state.cut_after = Some((cut, left - bytes));
                (bytes, false)
            }
            Some(_) | None => (bytes, false),
        }
    }
}

impl Connection {
    fn cut(&self) {
        for end in self.ends.iter() {
            drop(end.shutdown(Shutdown::Both));
        }
    }
}
