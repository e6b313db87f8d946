//! Decides which channel variables a client may set: Asterisk's own code reads some, and acts on what they say.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::LazyLock;

/// The most channel variables that a call may have. Asterisk refuses an action of more than 128 lines, and an Originate
/// of Trunkline has up to 18 others; the rest is kept for lines that Trunkline may add.
pub const MAX_VARIABLES: usize = 100;

/// The names that Asterisk 16, 20 and 22 read and set, made from their source by `bin/asterisk-variables`.
const LIST: &str = include_str!("data/asterisk-variables.txt");

/// The families of names that Asterisk reads. A later version may read more names of a family than [`LIST`] has.
const FAMILIES: [&str; 28] = [
    "*_CONTEXT",
    "*_EXEC",
    "*_SEND_MACRO*",
    "*_SEND_SUB*",
    "ABSOLUTE_TIMEOUT",
    "ATTENDED_*",
    "BRIDGE_*",
    "CDR*",
    "CHANNEL*",
    "DIALED*",
    "DYNAMIC_*",
    "FORWARD_*",
    "GOSUB_*",
    "GOTO_ON_*",
    "GROUP",
    "LIMIT_*",
    "MACRO_*",
    "MIXMONITOR*",
    "MONITOR_*",
    "OUTBOUND_GROUP*",
    "PARKING*",
    "PJSIP_*",
    "QUEUE_*",
    "SIPADDHEADER*",
    "SIP_*",
    "SPYGROUP",
    "TOUCH_*",
    "TRANSFER_*",
];

/// The names whose value Asterisk expands, or runs as a command, an AGI script or a dialplan routine. Each of them
/// opens a shell or every context, so that no administrator can grant one.
const RUN: [&str; 13] = [
    "*_EXEC",
    "*_EXEC_ARGS",
    "*_SEND_MACRO*",
    "*_SEND_SUB*",
    "MEETME_AGI_BACKGROUND",
    "MONITOR_FILENAME",
    "MONITOR_OPTIONS",
    "TOUCH_MIXMONITOR",
    "TOUCH_MIXMONITOR_FORMAT",
    "TOUCH_MIXMONITOR_PREFIX",
    "TOUCH_MONITOR",
    "TOUCH_MONITOR_FORMAT",
    "TOUCH_MONITOR_PREFIX",
];

/// Why a name is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Asterisk reads the variable and acts on it. A client may set it if an administrator granted exactly this name.
    Read,
    /// Asterisk runs what the variable says. No client may set it.
    Run,
}

impl fmt::Display for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "changes what Asterisk does, and only a grant of exactly this name allows it",
            Self::Run => "makes Asterisk run commands or dialplan code, and cannot be granted to any client",
        })
    }
}

/// The reserved names, read from [`LIST`] once.
struct Names {
    /// The names without a pattern, in capitals.
    exact: HashSet<String>,
    /// The patterns, those of the list and the families, by their first byte: that of the names which may match, or `*`.
    patterns: HashMap<u8, Vec<String>>,
}

impl Names {
    fn has(&self, bare: &str) -> bool {
        let first = bare.bytes().next();
        let patterns = first.and_then(|first| self.patterns.get(&first)).into_iter().chain(self.patterns.get(&b'*'));
        self.exact.contains(bare) || patterns.flatten().any(|pattern| matches(pattern.as_bytes(), bare.as_bytes()))
    }
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let lines = LIST.lines().filter(|line| !line.starts_with('#'));
    let read = lines.filter_map(|line| line.split_once(" | ")).filter(|(_, how)| !how.starts_with("set |"));
    let names = read.map(|(name, _)| name).chain(FAMILIES).chain(RUN).map(str::to_ascii_uppercase);
    let (all, exact): (Vec<_>, Vec<_>) = names.partition(|name| name.contains(['*', '#']));
    let mut patterns: HashMap<u8, Vec<String>> = HashMap::new();
    for pattern in all {
        patterns.entry(pattern.bytes().next().unwrap_or_default()).or_default().push(pattern);
    }
    Names { exact: exact.into_iter().collect(), patterns }
});

/// Returns why a name is reserved; None if a client may set it. Neither the `_`s before the name, which make it
/// inherited, nor the case of its letters matter, because Asterisk does not always compare the case.
#[must_use]
pub fn reserved(name: &str) -> Option<Reserved> {
    let bare = name.trim_start_matches('_').to_ascii_uppercase();
    // The names that run something are among those that are read.
    if !NAMES.has(&bare) {
        return None;
    }
    let runs = RUN.iter().any(|pattern| matches(pattern.as_bytes(), bare.as_bytes()));
    Some(if runs { Reserved::Run } else { Reserved::Read })
}

/// Returns true if Trunkline itself sets the variable, to tell the dialplan which call this is.
#[must_use]
pub fn is_own(name: &str) -> bool {
    let bare = name.trim_start_matches('_');
    bare.starts_with("TRUNKLINE_") || bare == "DID"
}

/// Returns why a client with these grants may not set a variable; None if it may. Without grants a client may set every
/// variable that is not reserved, and a grant with `*` never includes a reserved one.
#[must_use]
pub fn denied(name: &str, grants: &[String]) -> Option<String> {
    let exact = || grants.iter().any(|grant| grant == name);
    match reserved(name) {
        Some(reserved) if reserved == Reserved::Run || !exact() => Some(format!("variable {name} {reserved}")),
        Some(_) => None,
        None => {
            let granted = grants.is_empty() || grants.iter().any(|grant| includes(grant, name));
            (!granted).then(|| format!("variable {name} is not granted"))
        }
    }
}

/// Returns why no client may set a variable of this name; None if the name can be sent.
#[must_use]
pub fn unfit(name: &str) -> Option<String> {
    if is_own(name) {
        return Some(format!("variable {name} is set by Trunkline"));
    }
    (!is_plain(name)).then(|| format!("`{name}` is not the name of a channel variable"))
}

/// Returns why a call cannot have so many variables; None if it can.
#[must_use]
pub fn too_many(count: usize) -> Option<String> {
    (count > MAX_VARIABLES).then(|| format!("has {count} channel variables; at most {MAX_VARIABLES} are allowed"))
}

/// Returns why a grant means nothing, so that no policy can have it; None if it can be granted.
#[must_use]
pub fn grant_error(grant: &str) -> Option<String> {
    let (beginning, is_pattern) = match grant.strip_suffix('*') {
        Some(beginning) => (beginning, true),
        None => (grant, false),
    };
    if !(is_plain(beginning) || is_pattern && beginning.is_empty()) {
        return Some(
            "must be the name of a channel variable, of letters, digits and `_`, or the beginning of names with a `*` \
             at its end, such as `CUST_*`"
                .to_owned(),
        );
    }
    if is_own(beginning) {
        return Some(format!("grants nothing: variables like {beginning} are set by Trunkline"));
    }
    if !is_pattern {
        return reserved(beginning)
            .filter(|reserved| *reserved == Reserved::Run)
            .map(|reserved| format!("variable {beginning} {reserved}"));
    }
    // A pattern that ends in `*` and matches the beginning matches whatever follows it.
    let bare = beginning.trim_start_matches('_').to_ascii_uppercase();
    let mut families = NAMES.patterns.values().flatten().filter(|pattern| pattern.ends_with('*'));
    families.any(|pattern| matches(pattern.as_bytes(), bare.as_bytes())).then(|| {
        format!(
            "grants nothing: names that begin with {beginning} change what Asterisk does, and must be granted one by \
             one"
        )
    })
}

/// Returns true if a grant, which may end in `*`, includes a name.
fn includes(grant: &str, name: &str) -> bool {
    match grant.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => grant == name,
    }
}

/// Returns true if a name cannot be read as anything else than a name: a `(` would call a function, such as `SHELL(…)`.
fn is_plain(name: &str) -> bool {
    let bytes = name.as_bytes();
    (1..=80).contains(&bytes.len())
        && !bytes[0].is_ascii_digit()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// Returns true if a name fits a pattern: `*` stands for any characters, and `#` for one digit or more.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', [])) => true,
        // What follows a `*` is never a pattern itself, so only the places of its first byte are tried.
        Some((b'*', rest)) => {
            let places = name.iter().enumerate().filter(|(_, byte)| rest.first() == Some(byte));
            places.map(|(place, _)| place).any(|place| matches(rest, &name[place..]))
        }
        Some((b'#', rest)) => {
            let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (1..=digits).any(|skipped| matches(rest, &name[skipped..]))
        }
        Some((first, rest)) => name.first() == Some(first) && matches(rest, &name[1..]),
    }
}

#[cfg(test)]
mod tests;
