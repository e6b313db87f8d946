//! Receives Asterisk's events in a session of its own, without the proxy.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::checker;
use crate::history::ChannelEvent;
use crate::support::ami::Ami;

/// Keeps all events, over all restarts of Asterisk.
#[derive(Clone, Default)]
pub struct Observer {
    channel_events: Arc<Mutex<Vec<ChannelEvent>>>,
    /// How many sessions have ended.
    ended: Arc<AtomicUsize>,
}

impl Observer {
    /// Logs in and listens until the connection ends.
    pub fn listen(&self, port: u16, username: &str, secret: &str) -> io::Result<()> {
        let mut ami = Ami::connect(port)?;
        let answer = ami.login(username, secret, "call")?;
        if answer.get("Response") != "Success" {
            return Err(io::Error::other(format!("{answer:?}")));
        }
        let observer = self.clone();
        thread::spawn(move || observer.keep_all(ami));
        Ok(())
    }

    fn keep_all(&self, mut ami: Ami) {
        loop {
            match ami.read() {
                Ok(message) => {
                    let id = |name: &str| message.get(name).to_owned();
                    let (uniqueid, linkedid) = (id("Uniqueid"), id("Linkedid"));
                    match message.get("Event") {
                        "Newchannel" => self.lock().push(ChannelEvent::New { uniqueid, linkedid }),
                        "Hangup" => self.lock().push(ChannelEvent::Gone { uniqueid, linkedid }),
                        _ => {}
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    self.lock().push(ChannelEvent::Restarted);
                    self.ended.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
        }
    }

    pub fn channel_events(&self) -> Vec<ChannelEvent> {
        self.lock().clone()
    }

    /// Returns how many events were received so far.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Returns how many sessions have ended so far.
    pub fn sessions_ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }

    /// Returns the largest number of calls that were live at once after the first `from` events.
    pub fn peak_since(&self, from: usize) -> usize {
        checker::peak(&self.lock()[from..])
    }

    fn lock(&self) -> MutexGuard<'_, Vec<ChannelEvent>> {
        self.channel_events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
