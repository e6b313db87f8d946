//! A flooder: keeps a number of Originates in flight, counts the calls that end, and stores nothing. No dialer can be
//! faster.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::{Buf, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::args::Args;
use super::cpu;
use super::measurement::Measurement;

/// How long the run waits for the next message before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Event filters that let through only the end of a call.
const FILTERS: [&str; 2] = ["^Event: (OriginateResponse|Hangup)", "!^Event: HangupRequest"];

/// The prefix of every ChannelId. All ids have the same length, because Asterisk 22 refuses an id that is the prefix of
/// a live one.
const PREFIX: &str = "flood-";

struct Flooder<'a> {
    stream: TcpStream,
    buffer: BytesMut,
    args: &'a Args,
    /// A number that makes the ids of this run unique.
    run: u64,
}

/// Dials all calls of a run.
///
/// # Errors
/// Returns an error if Asterisk cannot be reached, refuses an action, or sends nothing for 30 seconds.
pub async fn run(args: &Args) -> anyhow::Result<Measurement> {
    let run = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    let stream = TcpStream::connect(&args.ami).await.with_context(|| format!("cannot connect to {}", args.ami))?;
    stream.set_nodelay(true)?;
    let mut flooder = Flooder { stream, buffer: BytesMut::with_capacity(256 * 1024), args, run };
    flooder.log_in().await?;
    let (began, cpu) = (Instant::now(), cpu::used_by(std::process::id())?);
    flooder.flood().await?;
    Ok(Measurement {
        calls: args.calls,
        time: began.elapsed(),
        cpu: cpu::used_by(std::process::id())?.saturating_sub(cpu),
    })
}

impl Flooder<'_> {
    async fn log_in(&mut self) -> anyhow::Result<()> {
        let Args { username, secret, .. } = self.args;
        let login = format!("Action: Login\r\nUsername: {username}\r\nSecret: {secret}\r\nEvents: call\r\n\r\n");
        let filters = FILTERS.map(|filter| format!("Action: Filter\r\nOperation: Add\r\nFilter: {filter}\r\n\r\n"));
        for action in [login].into_iter().chain(filters) {
            self.stream.write_all(action.as_bytes()).await?;
            loop {
                let message = self.message().await?;
                if is_answer(&message) {
                    if memmem::find(&message, b"Response: Success").is_none() {
                        bail!("Asterisk refused: {}", String::from_utf8_lossy(&message).trim());
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    async fn flood(&mut self) -> anyhow::Result<()> {
        let (mut sent, mut ended, mut out) = (0, 0, String::new());
        while ended < self.args.calls {
            while sent < self.args.calls && sent - ended < u32::from(self.args.in_flight) {
                self.originate(sent, &mut out)?;
                sent += 1;
            }
            if !out.is_empty() {
                self.stream.write_all(out.as_bytes()).await?;
                out.clear();
            }
            // All that arrived in one read is handled, and then all that it made room for is sent in one write.
            ended += u32::from(ends_a_call(&self.message().await?)?);
            while let Some(message) = self.next() {
                ended += u32::from(ends_a_call(&message)?);
            }
        }
        Ok(())
    }

    fn originate(&self, number: u32, out: &mut String) -> anyhow::Result<()> {
        let Args { channel, application, data, .. } = self.args;
        let id = format_args!("{PREFIX}{:010}-{number:07}", self.run);
        write!(
            out,
            "Action: Originate\r\nActionID: {id}\r\nChannel: {channel}\r\nChannelId: {id}\r\nAsync: true\r\n\
             Timeout: 30000\r\nApplication: {application}\r\nData: {data}\r\n\r\n"
        )?;
        Ok(())
    }

    /// Returns the next message in the buffer, if there is a whole one.
    fn next(&mut self) -> Option<BytesMut> {
        let end = memmem::find(&self.buffer, b"\r\n\r\n")?;
        let message = self.buffer.split_to(end + 2);
        self.buffer.advance(2);
        Some(message)
    }

    async fn message(&mut self) -> anyhow::Result<BytesMut> {
        loop {
            if let Some(message) = self.next() {
                return Ok(message);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
            if read.with_context(|| format!("Asterisk sent nothing for {PATIENCE:?}"))?? == 0 {
                bail!("Asterisk closed the connection");
            }
        }
    }
}

/// Returns true for a response. The first one follows the banner in the same message.
fn is_answer(message: &[u8]) -> bool {
    message.starts_with(b"Response: ") || message.starts_with(b"Asterisk Call Manager")
}

/// Returns true for the hangup of an A leg, and for the failure of an Originate that never had one.
///
/// # Errors
/// Returns an error if Asterisk refused an Originate.
fn ends_a_call(message: &[u8]) -> anyhow::Result<bool> {
    if message.starts_with(b"Event: Hangup\r") {
        let Some(at) = memmem::find(message, b"\r\nUniqueid: ") else { return Ok(false) };
        let id = message[at + 12..].split(|byte| *byte == b'\r').next().unwrap_or_default();
        return Ok(id.starts_with(PREFIX.as_bytes()) && !id.contains(&b';'));
    }
    if message.starts_with(b"Response: Error") {
        bail!("Asterisk refused an Originate: {}", String::from_utf8_lossy(message).trim());
    }
    Ok(message.starts_with(b"Event: OriginateResponse") && memmem::find(message, b"\r\nUniqueid: <null>").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_ends_with_the_hangup_of_its_a_leg() {
        let ends = |text: &str| ends_a_call(text.as_bytes()).unwrap();
        assert!(ends("Event: Hangup\r\nUniqueid: flood-1\r\nCause: 16\r\n"));
        assert!(!ends("Event: Hangup\r\nUniqueid: flood-1;2\r\nCause: 16\r\n"));
        assert!(!ends("Event: Hangup\r\nUniqueid: other\r\nCause: 16\r\n"));
        assert!(!ends("Event: OriginateResponse\r\nUniqueid: flood-1\r\n"));
        assert!(ends("Event: OriginateResponse\r\nUniqueid: <null>\r\n"));
        assert!(!ends("Response: Success\r\nMessage: Originate successfully queued\r\n"));
        assert!(ends_a_call(b"Response: Error\r\nMessage: no\r\n").is_err());
    }
}
