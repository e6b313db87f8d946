//! Hears what Asterisk says it does, by a session of its own beside the proxy.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::checker;
use crate::history::Heard;
use crate::support::ami::Ami;

/// Keeps what was heard, over all restarts of the Asterisk.
#[derive(Clone, Default)]
pub struct Observer {
    heard: Arc<Mutex<Vec<Heard>>>,
    /// How many sessions have ended.
    deaf: Arc<AtomicUsize>,
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
                        "Newchannel" => self.lock().push(Heard::New { uniqueid, linkedid }),
                        "Hangup" => self.lock().push(Heard::Gone { uniqueid, linkedid }),
                        _ => {}
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    self.lock().push(Heard::Restarted);
                    self.deaf.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
        }
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.lock().clone()
    }

    /// How much was heard so far.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// How many sessions have ended so far.
    pub fn sessions_ended(&self) -> usize {
        self.deaf.load(Ordering::SeqCst)
    }

    /// The most calls that were live at once, since this much was heard.
    pub fn peak_since(&self, from: usize) -> usize {
        checker::peak(&self.lock()[from..])
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
