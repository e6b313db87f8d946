//! Where recordings may go: below one of the server's recording directories, and nowhere else.

use super::ids::CallId;

/// Why a recording cannot go where it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is relative.
    #[error("must be an absolute path")]
    Relative,
    /// It holds a `..`, or an empty part.
    #[error("must not hold `..`, `.` or `//`")]
    Climbs,
    /// MixMonitor would read more into it than a file name.
    #[error("must not hold `,`, `;`, `|`, `$`, quotes or control characters")]
    Characters,
    /// It is not below any of the server's recording directories.
    #[error("must be below one of the server's recording directories ({0})")]
    Outside(String),
}

/// `path`, if it is a plain file below one of `dirs`.
pub fn check(path: &str, dirs: &[String]) -> Result<(), PathError> {
    if !path.starts_with('/') {
        return Err(PathError::Relative);
    }
    if path.chars().any(|c| c.is_control() || matches!(c, ',' | ';' | '|' | '$' | '"' | '\'' | '`' | '\\')) {
        return Err(PathError::Characters);
    }
    if path[1..].split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(PathError::Climbs);
    }
    let below = |dir: &String| path.strip_prefix(dir.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
    if dirs.iter().any(below) { Ok(()) } else { Err(PathError::Outside(dirs.join(", "))) }
}

/// The place of a recording that nobody named: `{call_id}.wav` in the first recording directory.
#[must_use]
pub fn default_path(call: CallId, dirs: &[String]) -> Option<String> {
    dirs.first().map(|dir| format!("{}/{call}.wav", dir.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirs() -> Vec<String> {
        vec!["/recordings".into(), "/var/spool/asterisk/monitor/".into()]
    }

    #[test]
    fn a_file_below_a_recording_directory_is_fine() {
        assert_eq!(check("/recordings/call_123.wav", &dirs()), Ok(()));
        assert_eq!(check("/var/spool/asterisk/monitor/a/b.wav", &dirs()), Ok(()));
    }

    #[test]
    fn nothing_leads_out_of_the_recording_directories() {
        for path in ["/recordings/../etc/passwd", "/recordings", "/recordings/", "/recordingsx/a.wav", "/etc/passwd"] {
            assert!(check(path, &dirs()).is_err(), "{path}");
        }
        assert_eq!(check("call.wav", &dirs()), Err(PathError::Relative));
        assert_eq!(check("/recordings/a.wav,b,touch x", &dirs()), Err(PathError::Characters));
    }
}
