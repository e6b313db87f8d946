//! Asterisk's own account of what it did, received in a second manager session.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::ami::{Ami, Message};
use super::wait;

/// Keeps every `OriginateResponse`, `Newchannel` and `Hangup` of an Asterisk over all its restarts.
///
/// It is independent of the dialer under test, with its own connection and its own parser. Asterisk sends one
/// `OriginateResponse` for each asynchronous Originate that it accepted, answered or not, and one `Newchannel` for each
/// channel that it created. The events may be received later than the dialer's, so wait for the expected ones before
/// you assert that there are no more.
#[derive(Clone, Debug, Default)]
pub struct Witness(Arc<Mutex<Vec<Message>>>);

/// One asynchronous Originate that Asterisk carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Originate {
    pub action_id: String,
    pub channel: String,
    /// The requested `ChannelId` if a channel was created, else `<null>` or empty.
    pub unique_id: String,
    pub answered: bool,
    /// The reason: 4 is answered, 5 busy, 8 congestion, 3 and 1 no answer, 0 failed.
    pub reason: u8,
}

impl Witness {
    /// Logs in and listens until the connection ends. Returns when Asterisk reports that it has booted.
    pub fn listen(&self, port: u16) -> io::Result<()> {
        let mut ami = Ami::connect(port)?;
        let login = ami.login("witness", super::asterisk::SECRET, "on")?;
        if login.get("Response") != "Success" {
            return Err(io::Error::other(format!("{login:?}")));
        }
        ami.wait_for(|message| message.is_event("FullyBooted"))?;
        let seen = self.clone();
        thread::spawn(move || seen.keep_all(ami));
        Ok(())
    }

    /// Returns the Originates that have had an `OriginateResponse` so far.
    pub fn originates(&self) -> Vec<Originate> {
        self.events("OriginateResponse").iter().map(Originate::from).collect()
    }

    /// Waits until Asterisk has carried out `count` Originates. There may be more by then.
    pub fn wait_for_originates(&self, count: usize) -> Vec<Originate> {
        wait::until(&format!("Asterisk saw {count} Originates"), || {
            Some(self.originates()).filter(|seen| seen.len() >= count)
        })
    }

    /// Returns the ids of all channels that were ever created. An id that was originated twice appears twice.
    pub fn channel_ids(&self) -> Vec<String> {
        self.events("Newchannel").iter().map(|event| event.get("Uniqueid").to_owned()).collect()
    }

    /// Returns all kept events, oldest first.
    pub fn all(&self) -> Vec<Message> {
        self.lock().clone()
    }

    /// Returns all kept events of this name, oldest first.
    pub fn events(&self, name: &str) -> Vec<Message> {
        self.lock().iter().filter(|message| message.is_event(name)).cloned().collect()
    }

    fn keep_all(&self, mut ami: Ami) {
        // A silent connection has not ended: only its end, as after a kill, stops the witness.
        loop {
            match ami.read() {
                Ok(message) => self.lock().push(message),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Message>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<&Message> for Originate {
    fn from(event: &Message) -> Self {
        Self {
            action_id: event.get("ActionID").to_owned(),
            channel: event.get("Channel").to_owned(),
            unique_id: event.get("Uniqueid").to_owned(),
            answered: event.get("Response") == "Success",
            reason: event.get("Reason").parse().expect("Asterisk gives each OriginateResponse a reason"),
        }
    }
}
