//! Stores how far an import got, in a small file beside the CSV.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cli::fault::{Fault, note};

/// The destination of an import. Each server and each client has calls and queues of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The URL of the server, as it was given.
    pub url: String,
    /// The client that the API key belongs to.
    pub client_id: Option<i64>,
}

/// What identifies an import to one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// SHA-256 of the whole file, in hexadecimal.
    pub file_sha256: String,
    /// Distinguishes several imports of one file.
    pub label: String,
    /// How many bits the ids of its batches have. An import that an earlier version began keeps its ids of 63 bits, by
    /// which the server recognises batches that it has already.
    #[serde(default = "earlier_id_bits")]
    pub id_bits: u32,
}

/// How many bits the ids of batches have: JavaScript and other programs that read numbers as doubles read them exactly.
pub const ID_BITS: u32 = 53;

fn earlier_id_bits() -> u32 {
    63
}

/// The progress of an import.
#[derive(Debug)]
pub struct State {
    /// Where the calls go.
    target: Target,
    /// Which calls are imported.
    pub content: Content,
    /// The queue that the calls are in, once it is known.
    pub queue_id: Option<i64>,
    /// How many calls are known to be inserted.
    pub rows: u64,
    /// Imports of the same file to other targets, which are in the state file too.
    others: Vec<Stored>,
    path: PathBuf,
}

/// The last import to one target, as it is stored in the state file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    target: Target,
    #[serde(flatten)]
    content: Content,
    queue_id: i64,
    rows: u64,
    done: bool,
}

impl Content {
    /// Returns the id of the batch after `offset` calls, which is the same for the same file at every try.
    pub fn batch_id(&self, offset: u64) -> i64 {
        let Self { file_sha256, label, id_bits } = self;
        let hash = Sha256::digest(format!("trunkline import\n{file_sha256}\n{offset}\n{label}"));
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        // Positive, because users expect that of an id.
        i64::from_be_bytes(first) & i64::MAX.unbounded_shr(63_u32.saturating_sub(*id_bits))
    }
}

impl State {
    /// Returns the state of an earlier import of the same content to the same target, or else a new one.
    ///
    /// # Errors
    /// Returns [`Fault::Usage`] if other content was imported to the target under the same label or not to its end,
    /// because calls could be inserted twice. Returns another error if the state file cannot be read.
    pub fn load(csv: &Path, target: &Target, content: &Content) -> anyhow::Result<Self> {
        let path = path_for(csv);
        let (target, content) = (target.clone(), content.clone());
        let new = Self { target, content, queue_id: None, rows: 0, others: Vec::new(), path: path.clone() };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(new),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        // A crash of the machine can leave half a file. Then the import begins again, and the server recognises the
        // batches.
        let Ok(stored) = serde_json::from_str::<Vec<Stored>>(&text) else { return Ok(new) };
        let (mut here, others): (Vec<_>, _) = stored.into_iter().partition(|import| import.target == new.target);
        let new = Self { others, ..new };
        let Some(stored) = here.pop() else { return Ok(new) };
        let same = Content { id_bits: stored.content.id_bits, ..new.content.clone() };
        if stored.content == same {
            return Ok(Self { queue_id: Some(stored.queue_id), rows: stored.rows, content: same, ..new });
        }
        if stored.content.label == new.content.label || !stored.done {
            let Stored { rows, queue_id, .. } = stored;
            return Err(Fault::Usage(format!(
                "{csv} is not what was imported before: {rows} calls with other content or another label are in queue \
                 {queue_id}. If they are sent again, calls may be inserted twice.\n  To import the file nevertheless, \
                 rename it or remove {state}",
                csv = csv.display(),
                state = path.display(),
            ))
            .into());
        }
        Ok(new)
    }

    /// Returns the path of the state file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stores that the first `rows` of `count` calls are in a queue. A failure to write is reported to the user only.
    pub fn advance(&mut self, queue_id: i64, rows: u64, count: u64) {
        self.queue_id = Some(queue_id);
        self.rows = rows;
        let (target, content) = (self.target.clone(), self.content.clone());
        let mut stored = self.others.clone();
        stored.push(Stored { target, content, queue_id, rows, done: rows == count });
        if let Err(error) = self.write(&stored) {
            note(format_args!(
                "cannot write {}: {error}; if the import is interrupted, it will begin again, and insert no call twice",
                self.path.display()
            ));
        }
    }

    /// Writes a new file and renames it, so that there is always a complete one.
    fn write(&self, stored: &[Stored]) -> std::io::Result<()> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        fs::write(&beside, serde_json::to_vec(stored)?)?;
        fs::rename(&beside, &self.path)
    }
}

fn path_for(csv: &Path) -> PathBuf {
    let mut path = csv.as_os_str().to_owned();
    path.push(".import-state");
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(file_sha256: &str, label: &str) -> Content {
        Content { file_sha256: file_sha256.to_owned(), label: label.to_owned(), id_bits: ID_BITS }
    }

    fn target(url: &str, client_id: i64) -> Target {
        Target { url: url.to_owned(), client_id: Some(client_id) }
    }

    fn load(csv: &Path, content: &Content) -> anyhow::Result<State> {
        State::load(csv, &target("http://a", 1), content)
    }

    #[test]
    fn a_batch_id_depends_on_content_place_and_label_alone() {
        let id = content("aa", "").batch_id(1000);
        assert_eq!(id, content("aa", "").batch_id(1000));
        assert!(id > 0 && id < 1 << 53, "{id} is not exact in JavaScript");
        for other in
            [content("ab", "").batch_id(1000), content("aa", "x").batch_id(1000), content("aa", "").batch_id(0)]
        {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn an_import_goes_on_where_it_was_and_other_content_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let csv = dir.path().join("people.csv");
        let mut state = load(&csv, &content("aa", "")).unwrap();
        assert_eq!((state.queue_id, state.rows), (None, 0));
        state.advance(7, 1000, 3000);
        let state = load(&csv, &content("aa", "")).unwrap();
        assert_eq!((state.queue_id, state.rows), (Some(7), 1000));
        let error = load(&csv, &content("bb", "")).unwrap_err().to_string();
        assert!(error.contains("is not what was imported before"), "{error}");
        assert!(load(&csv, &content("aa", "again")).is_err(), "the first one is not done");
    }

    #[test]
    fn another_label_begins_anew_behind_a_finished_import() {
        let dir = tempfile::tempdir().unwrap();
        let csv = dir.path().join("people.csv");
        load(&csv, &content("aa", "")).unwrap().advance(7, 3000, 3000);
        assert_eq!(load(&csv, &content("aa", "again")).unwrap().rows, 0);
        assert_eq!(load(&csv, &content("aa", "")).unwrap().rows, 3000);
    }

    #[test]
    fn each_server_and_each_client_has_an_import_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let csv = dir.path().join("people.csv");
        let here = target("http://a", 1);
        State::load(&csv, &here, &content("aa", "")).unwrap().advance(7, 1000, 3000);
        for other in [target("http://b", 1), target("http://a", 2)] {
            let mut state = State::load(&csv, &other, &content("bb", "")).unwrap();
            assert_eq!((state.queue_id, state.rows), (None, 0));
            state.advance(9, 2000, 3000);
        }
        let state = State::load(&csv, &here, &content("aa", "")).unwrap();
        assert_eq!((state.queue_id, state.rows), (Some(7), 1000), "no other import made it forget");
        assert!(State::load(&csv, &here, &content("bb", "")).is_err());
    }
}
