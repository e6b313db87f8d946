//! Which file a recording is written to, so that no call overwrites the recording of another one.
//!
//! The first call that names a path records to it. The file of every other call has the call's id at the end of its stem,
//! which makes it different from all others.

use super::ids::CallId;
use super::originate::Recording;
use super::retry::Tally;
use super::status::Outcome;

/// The most bytes of a file's name. File systems allow no more.
const MAX_NAME: usize = 255;

/// The most bytes of a path. A longer one would not fit into a line of AMI.
const MAX_PATH: usize = 980;

/// Returns the file that MixMonitor writes for a path, in the form in which files are compared. Without an extension it
/// writes raw audio, and it writes `wav49` as `WAV`. Paths are stored without `.`, `..` and `//`; those of a store that
/// another program wrote are compared without `.` and `//`.
#[must_use]
pub fn written(path: &str) -> String {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    let path = parts.fold(String::new(), |path, part| path + "/" + part);
    let (stem, extension) = split(&path);
    match extension {
        "" => format!("{stem}.raw"),
        "wav49" => format!("{stem}.WAV"),
        _ => path,
    }
}

/// Returns the call that a file is named after: the one whose id is at the end of its stem.
#[must_use]
pub fn named_after(path: &str) -> Option<CallId> {
    let (stem, _) = split(path);
    let id = stem.get(stem.len().checked_sub(ID)?..)?;
    id.parse().ok()
}

/// Returns a path that no other call records to, beside the one that was asked for: `a/b.wav` becomes
/// `a/b-<call id>.wav`. A name that would be too long loses its end, and its directory stays.
#[must_use]
pub fn unique(path: &str, call: CallId) -> String {
    let (stem, extension) = split(path);
    let extension = if extension.is_empty() { String::new() } else { format!(".{extension}") };
    let begin = stem.rfind('/').map_or(0, |slash| slash + 1);
    let added = 1 + ID + extension.len();
    let most = MAX_PATH.saturating_sub(added).min(begin + MAX_NAME.saturating_sub(added));
    let end = (begin..=stem.len().min(most.max(begin))).rev().find(|end| stem.is_char_boundary(*end)).unwrap_or(begin);
    format!("{}-{call}{extension}", &stem[..end])
}

/// Returns how one attempt of a call is recorded. All attempts of a call record to the same file, because only the last
/// one can have been answered. But after an attempt whose outcome is unknown there may be a recording already, which the
/// next attempt leaves alone.
#[must_use]
pub fn of_attempt(recording: Option<Recording>, call: CallId, number: i32, tally: Tally) -> Option<Recording> {
    let recording = recording?;
    if tally.of(Outcome::Unknown) == 0 {
        return Some(recording);
    }
    let (stem, extension) = split(&recording.path);
    let stem = stem.strip_suffix(&call.to_string()).map_or(stem, |stem| stem.trim_end_matches('-'));
    let dash = if stem.ends_with('/') { "" } else { "-" };
    let dot = if extension.is_empty() { "" } else { "." };
    let path = unique(&format!("{stem}{dash}{number}{dot}{extension}"), call);
    Some(Recording { path, ..recording })
}

/// The characters of a call's id.
const ID: usize = uuid::fmt::Hyphenated::LENGTH;

/// Splits a path before the last dot of its file's name, as MixMonitor does.
fn split(path: &str) -> (&str, &str) {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[name..].rfind('.') {
        Some(dot) => (&path[..name + dot], &path[name + dot + 1..]),
        None => (path, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_one_file_are_the_same() {
        for (path, file) in [
            ("/rec/a.wav", "/rec/a.wav"),
            ("/rec//./a.wav", "/rec/a.wav"),
            ("/rec/a", "/rec/a.raw"),
            ("/rec/a.raw", "/rec/a.raw"),
            ("/rec/a.wav49", "/rec/a.WAV"),
            ("/rec/a.WAV", "/rec/a.WAV"),
            ("/rec.d/a", "/rec.d/a.raw"),
        ] {
            assert_eq!(written(path), file, "{path}");
        }
    }

    #[test]
    fn a_unique_path_names_its_call_and_fits() {
        let call = CallId::new();
        for (path, expected) in [
            ("/rec/a.wav", format!("/rec/a-{call}.wav")),
            ("/rec/a.b.wav", format!("/rec/a.b-{call}.wav")),
            ("/rec.d/a", format!("/rec.d/a-{call}")),
        ] {
            let unique = unique(path, call);
            assert_eq!(unique, expected);
            assert_eq!(named_after(&unique), Some(call), "{unique}");
            assert_eq!(named_after(path), None);
        }
        let deep = "/x".repeat(460);
        for long in [format!("/rec/{}.wav", "ä".repeat(200)), format!("{deep}/{}.wav", "a".repeat(50))] {
            let unique = unique(&long, call);
            assert!(unique.rfind('/') == long.rfind('/'), "{unique}");
            let name = unique.rsplit('/').next().unwrap_or_default();
            assert!(unique.len() <= MAX_PATH && name.len() <= MAX_NAME, "{unique}");
            assert_eq!(named_after(&unique), Some(call), "{unique}");
        }
    }

    #[test]
    fn only_an_attempt_after_an_unknown_one_has_a_file_of_its_own() {
        let call = CallId::new();
        let path = |path: &str, tally| {
            let recording = Recording { path: path.into(), options: None, command: None };
            of_attempt(Some(recording), call, 3, tally).map(|recording| recording.path).unwrap_or_default()
        };
        assert_eq!(path("/rec/a.wav", Tally::one(Outcome::Busy)), "/rec/a.wav");
        let unknown = Tally::one(Outcome::Unknown);
        assert_eq!(path("/rec/a.wav", unknown), format!("/rec/a-3-{call}.wav"));
        assert_eq!(path(&format!("/rec/{call}.wav"), unknown), format!("/rec/3-{call}.wav"));
        assert_eq!(path(&format!("/rec/a-{call}.wav"), unknown), format!("/rec/a-3-{call}.wav"));
    }
}
