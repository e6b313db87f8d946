//! Who is logged in, and which events each of them hears.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

/// All sessions.
#[derive(Default)]
pub struct Subscribers {
    listeners: HashMap<u64, Listener>,
    /// An event is written once, however many hear it.
    text: String,
    /// Nobody is answered, and nobody hears anything.
    pub muted: bool,
}

struct Listener {
    out: mpsc::UnboundedSender<Bytes>,
    /// What is said in one turn goes out as one piece.
    queued: BytesMut,
    mask: Mask,
    filters: Vec<Filter>,
    /// What mask and filters make of an event's name, once asked.
    wants: HashMap<&'static str, bool>,
}

/// Classes of events that a session asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mask {
    All,
    /// Only these; `off` is none.
    Classes(Vec<String>),
}

/// A filter by the event's name, in the regular expressions that matter here: `Event: Hangup`, which also matches
/// `HangupRequest` for it is searched for anywhere, and `^Event: (Hangup|Newstate)[[:space:]]`, which does not. With a `!`
/// before it, it keeps out what it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    names: Vec<String>,
    exact: bool,
    keeps_out: bool,
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
    /// `None` for what this server cannot read as a filter by name.
    pub fn parse(text: &str) -> Option<Self> {
        let (keeps_out, text) = match text.trim().strip_prefix('!') {
            Some(text) => (true, text),
            None => (false, text.trim()),
        };
        let rest = text.trim_start_matches('^').strip_prefix("Event: ")?;
        let (names, behind) = match rest.strip_prefix('(') {
            Some(group) => group.split_once(')')?,
            None => rest.split_at(rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len())),
        };
        let names: Vec<String> = names.split('|').map(str::to_owned).collect();
        let plain = names.iter().all(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let exact = match behind {
            "" => false,
            "[[:space:]]" | "[^A-Za-z]" | "\\s" => true,
            _ => return None,
        };
        plain.then_some(Self { names, exact, keeps_out })
    }

    fn matches(&self, event: &str) -> bool {
        self.names.iter().any(|name| if self.exact { name == event } else { event.starts_with(name.as_str()) })
    }
}

impl Listener {
    fn wants(&mut self, event: &'static str, class: &str) -> bool {
        *self.wants.entry(event).or_insert_with(|| {
            let (out, into): (Vec<_>, Vec<_>) = self.filters.iter().partition(|filter| filter.keeps_out);
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

    /// Without its channel, a session closes its connection.
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

    /// Says something to one session.
    pub fn say(&mut self, session: u64, text: &str) {
        if self.muted {
            return;
        }
        if let Some(listener) = self.listeners.get_mut(&session) {
            listener.queued.extend_from_slice(text.as_bytes());
        }
    }

    /// Tells an event to all that want it; one that nobody wants is not even written.
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

    /// Hands over what was said.
    pub fn flush(&mut self) {
        for listener in self.listeners.values_mut() {
            if !listener.queued.is_empty() {
                // A connection that is gone takes its session with it soon.
                let _ = listener.out.send(listener.queued.split().freeze());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(mask: &str, filters: &[&str]) -> String {
        let (out, mut heard) = mpsc::unbounded_channel();
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
        let text = heard.try_recv().unwrap_or_default();
        let names = std::str::from_utf8(&text).unwrap().lines().filter_map(|line| line.strip_prefix("Event: "));
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_session_hears_the_classes_of_its_mask() {
        assert_eq!(heard("call,cdr", &[]), "Hangup HangupRequest Cdr");
        assert_eq!(heard("on", &[]), "FullyBooted Hangup HangupRequest Newexten Cdr");
        assert_eq!(heard("off", &[]), "");
    }

    #[test]
    fn a_filter_is_searched_for_and_not_compared() {
        assert_eq!(heard("call,cdr", &["Event: Hangup"]), "Hangup HangupRequest");
        assert_eq!(heard("call,cdr", &["^Event: (Hangup|Cdr)[[:space:]]"]), "Hangup Cdr");
        assert_eq!(Filter::parse("Event: (Hangup"), None);
    }

    #[test]
    fn a_filter_with_a_mark_keeps_out() {
        assert_eq!(heard("call,cdr", &["^Event: (Hangup|Cdr)", "!^Event: HangupRequest"]), "Hangup Cdr");
        assert_eq!(heard("call,cdr", &["!Event: Cdr"]), "Hangup HangupRequest");
    }
}
