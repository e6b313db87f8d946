//! A simple AMI client for tests that shares no code with the one under test.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Instant;

use super::wait::PATIENCE;

/// One response or event: its headers in order, with the names as Asterisk writes them.
#[derive(Clone, Debug)]
pub struct Message(Vec<(String, String)>);

/// A connection to Asterisk's manager port.
#[derive(Debug)]
pub struct Ami {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    sent: u32,
}

impl Message {
    /// Returns the first header of this name, or the empty text: Asterisk omits headers that have no value.
    pub fn get(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn is_event(&self, name: &str) -> bool {
        self.get("Event") == name
    }
}

impl Ami {
    /// Connects to a manager port on loopback and reads the banner.
    pub fn connect(port: u16) -> io::Result<Self> {
        let writer = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        writer.set_read_timeout(Some(PATIENCE))?;
        let mut reader = BufReader::new(writer.try_clone()?);
        reader.read_line(&mut String::new())?;
        Ok(Self { reader, writer, sent: 0 })
    }

    /// Logs in with the event mask `events` (`on`, `off` or a list of classes).
    pub fn login(&mut self, username: &str, secret: &str, events: &str) -> io::Result<Message> {
        self.request(&[("Action", "Login"), ("Username", username), ("Secret", secret), ("Events", events)])
    }

    /// Sends an action and skips to its response.
    pub fn request(&mut self, headers: &[(&str, &str)]) -> io::Result<Message> {
        self.sent += 1;
        let id = format!("test-{}", self.sent);
        let headers: Vec<_> = headers.iter().copied().chain([("ActionID", id.as_str())]).collect();
        self.send(&headers)?;
        self.wait_for(|message| !message.get("Response").is_empty() && message.get("ActionID") == id)
    }

    /// Sends the headers as they are.
    pub fn send(&mut self, headers: &[(&str, &str)]) -> io::Result<()> {
        let lines: String = headers.iter().map(|(key, value)| format!("{key}: {value}\r\n")).collect();
        self.writer.write_all(format!("{lines}\r\n").as_bytes())
    }

    /// Reads the next message. Fails if the connection ends or is silent for [`PATIENCE`].
    pub fn read(&mut self) -> io::Result<Message> {
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if let Some((key, value)) = line.split_once(':') {
                headers.push((key.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()));
            } else if line.is_empty() && !headers.is_empty() {
                return Ok(Message(headers));
            }
        }
    }

    /// Reads messages until one is `wanted`.
    pub fn wait_for(&mut self, mut wanted: impl FnMut(&Message) -> bool) -> io::Result<Message> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let message = self.read()?;
            if wanted(&message) {
                return Ok(message);
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}
