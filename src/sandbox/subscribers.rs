//! The sessions that are logged in, and which events are sent to each.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

/// All sessions that are logged in.
#[derive(Default)]
pub struct Subscribers {
    listeners: HashMap<u64, Listener>,
    /// The text of the current event, written once for all sessions.
    text: String,
    /// True while no answers and no events are sent.
    pub muted: bool,
}

struct Listener {
    out: mpsc::UnboundedSender<Bytes>,
    /// The texts of one turn, which are sent together.
    queued: BytesMut,
    mask: Mask,
    filters: Vec<Filter>,
    /// Whether the mask and the filters let an event's name pass, as far as it is known.
    wants: HashMap<&'static str, bool>,
}

/// The event classes that a session asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mask {
    All,
    /// Only these classes. The list is empty for `off`.
    Classes(Vec<String>),
}

/// A filter by the event's name, as far as regular expressions are needed for that: `Event: Hangup`, which also matches
/// `HangupRequest` because it may match anywhere, and `^Event: (Hangup|Newstate)[[:space:]]`, which does not. A filter
/// with a leading `!` excludes the events that it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    names: Vec<String>,
    exact: bool,
    excludes: bool,
}

impl Mask {
    pub fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "" | "on" | "all" | "yes" | "true" | "1" => Self::All,
            "off" | "no" | "false" | "0" | "none" => Self::Classes(Vec::new()),
            classes => Self::Classes(classes.split(',').map(|class| class.trim().to_owned()).collect()),
        }
    }

    fn has(&self, class: &str) -> bool {
        match self {
            Self::All => true,
            Self::Classes(classes) => classes.iter().any(|known| known == class),
        }
    }
}

impl Filter {
    /// Parses a filter. Returns `None` if it is not a filter by name as described above.
    pub fn parse(text: &str) -> Option<Self> {
        let (excludes, text) = match text.trim().strip_prefix('!') {
            Some(text) => (true, text),
            None => (false, text.trim()),
        };
        let rest = text.trim_start_matches('^').strip_prefix("Event: ")?;
        let (names, after) = match rest.strip_prefix('(') {
            Some(group) => group.split_once(')')?,
            None => rest.split_at(rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len())),
        };
        let names: Vec<String> = names.split('|').map(str::to_owned).collect();
        let plain = names.iter().all(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let exact = match after {
            "" => false,
            "[[:space:]]" | "[^A-Za-z]" | "\\s" => true,
            _ => return None,
        };
        plain.then_some(Self { names, exact, excludes })
    }

    fn matches(&self, event: &str) -> bool {
        self.names.iter().any(|name| if self.exact { name == event } else { event.starts_with(name.as_str()) })
    }
}

impl Listener {
    fn wants(&mut self, event: &'static str, class: &str) -> bool {
        *self.wants.entry(event).or_insert_with(|| {
            let (out, into): (Vec<_>, Vec<_>) = self.filters.iter().partition(|filter| filter.excludes);
            let any = |filters: &[&Filter]| filters.iter().any(|filter| filter.matches(event));
            self.mask.has(class) && (into.is_empty() || any(&into)) && !any(&out)
        })
    }
}

impl Subscribers {
    pub fn join(&mut self, session: u64, out: mpsc::UnboundedSender<Bytes>, mask: Mask) {
        let booted = mask.has("system");
        let queued = BytesMut::new();
        self.listeners.insert(session, Listener { out, queued, mask, filters: Vec::new(), wants: HashMap::new() });
        if booted {
            let fields = "Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 1\r\nLastReload: 1\r\n\
                          Status: Fully Booted\r\n\r\n";
            self.say(session, fields);
        }
    }

    pub fn leave(&mut self, session: u64) {
        self.flush();
        self.listeners.remove(&session);
    }

    /// Closes all connections: a session without its channel closes its own.
    pub fn cut(&mut self) {
        self.listeners.clear();
    }

    pub fn set_mask(&mut self, session: u64, mask: Mask) {
        if let Some(listener) = self.listeners.get_mut(&session) {
            listener.mask = mask;
            listener.wants.clear();
        }
    }

    pub fn add_filter(&mut self, session: u64, filter: Filter) {
        if let Some(listener) = self.listeners.get_mut(&session) {
            listener.filters.push(filter);
            listener.wants.clear();
        }
    }

    /// Sends a text to one session.
    pub fn say(&mut self, session: u64, text: &str) {
        if self.muted {
            return;
        }
        if let Some(listener) = self.listeners.get_mut(&session) {
            listener.queued.extend_from_slice(text.as_bytes());
        }
    }

    /// Sends an event to all sessions that want it. It is not even written if none does.
    pub fn tell(&mut self, event: &'static str, class: &'static str, write: impl FnOnce(&mut String)) {
        if self.muted {
            return;
        }
        let Self { listeners, text, .. } = self;
        text.clear();
        let mut write = Some(write);
        for listener in listeners.values_mut() {
            if !listener.wants(event, class) {
                continue;
            }
            if let Some(write) = write.take() {
                text.extend(["Event: ", event, "\r\nPrivilege: ", class, ",all\r\n"]);
                write(text);
                text.push_str("\r\n");
            }
            listener.queued.extend_from_slice(text.as_bytes());
        }
    }

    /// Passes the queued texts to the connections.
    pub fn flush(&mut self) {
        for listener in self.listeners.values_mut() {
            if !listener.queued.is_empty() {
                // If the connection is gone, its session ends soon.
                let _ = listener.out.send(listener.queued.split().freeze());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(mask: &str, filters: &[&str]) -> String {
        let (out, mut sent) = mpsc::unbounded_channel();
        let mut subscribers = Subscribers::default();
        subscribers.join(1, out, Mask::parse(mask));
        for filter in filters {
            subscribers.add_filter(1, Filter::parse(filter).unwrap());
        }
        for (event, class) in [("Hangup", "call"), ("HangupRequest", "call"), ("Newexten", "dialplan"), ("Cdr", "cdr")]
        {
            subscribers.tell(event, class, |_| {});
        }
        subscribers.flush();
        let text = sent.try_recv().unwrap_or_default();
        let names = std::str::from_utf8(&text).unwrap().lines().filter_map(|line| line.strip_prefix("Event: "));
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_session_gets_the_classes_of_its_mask() {
        assert_eq!(sent("call,cdr", &[]), "Hangup HangupRequest Cdr");
        assert_eq!(sent("on", &[]), "FullyBooted Hangup HangupRequest Newexten Cdr");
        assert_eq!(sent("off", &[]), "");
    }

    #[test]
    fn a_filter_may_match_anywhere_in_the_event() {
        assert_eq!(sent("call,cdr", &["Event: Hangup"]), "Hangup HangupRequest");
        assert_eq!(sent("call,cdr", &["^Event: (Hangup|Cdr)[[:space:]]"]), "Hangup Cdr");
        assert_eq!(Filter::parse("Event: (Hangup"), None);
    }

    #[test]
    fn a_filter_with_an_exclamation_mark_excludes() {
        assert_eq!(sent("call,cdr", &["^Event: (Hangup|Cdr)", "!^Event: HangupRequest"]), "Hangup Cdr");
        assert_eq!(sent("call,cdr", &["!Event: Cdr"]), "Hangup HangupRequest");
    }
}
