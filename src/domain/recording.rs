//! Checks where recordings are written, which must be below one of the server's recording directories.

use super::ids::CallId;

/// Why a recording may not be written to a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path is relative.
    #[error("must be an absolute path")]
    Relative,
    /// The path contains `..`, `.` or an empty part.
    #[error("must not contain `..`, `.` or `//`")]
    Climbs,
    /// The path contains a character that MixMonitor would not read as part of a file name.
    #[error("must not contain `,`, `;`, `|`, `$`, `\\`, quotes or control characters")]
    Characters,
    /// The path is not below any of the server's recording directories.
    #[error("must be below one of the server's recording directories ({0})")]
    Outside(String),
}

/// Why a recording cannot be made with some options of MixMonitor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The option writes to any file, mailbox or variable, or does not exist.
    #[error("option {0} of MixMonitor is not allowed; the allowed options are {OPTIONS}")]
    Letter(char),
    /// The text in `()` is not a number, or has no `)`.
    #[error("the argument of a MixMonitor option must be a number in `()`, such as `v(2)`")]
    Argument,
}

/// The options of MixMonitor that name no file, mailbox or variable. `r` and `t` would record to any file, and `i` may
/// write through a dialplan function.
const OPTIONS: &str = "abBcdDnpSvVW";

/// Checks that MixMonitor's options, such as `bv(2)`, write to no file but the recording's own.
///
/// # Errors
/// Returns the first option that is not allowed, or says that an argument is not a number.
pub fn check_options(options: &str) -> Result<(), OptionsError> {
    let mut rest = options;
    while let Some(letter) = rest.chars().next() {
        if !OPTIONS.contains(letter) {
            return Err(OptionsError::Letter(letter));
        }
        rest = &rest[letter.len_utf8()..];
        if let Some(argument) = rest.strip_prefix('(') {
            let (number, after) = argument.split_once(')').ok_or(OptionsError::Argument)?;
            if !number.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
                return Err(OptionsError::Argument);
            }
            rest = after;
        }
    }
    Ok(())
}

/// Checks that `path` is a plain file below one of `dirs`.
///
/// # Errors
/// Returns the first rule that the path breaks.
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
    if is_below(path, dirs) { Ok(()) } else { Err(PathError::Outside(dirs.join(", "))) }
}

/// Returns true if a path is below one of `dirs`. A directory is not below itself.
#[must_use]
pub fn is_below(path: &str, dirs: &[String]) -> bool {
    let below = |dir: &String| path.strip_prefix(dir.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
    dirs.iter().any(below)
}

/// Returns the path of a recording whose call does not name one: `{call_id}.wav` in the first recording directory.
/// Returns None if there is no recording directory.
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
    fn a_file_below_a_recording_directory_is_allowed() {
        assert_eq!(check("/recordings/call_123.wav", &dirs()), Ok(()));
        assert_eq!(check("/var/spool/asterisk/monitor/a/b.wav", &dirs()), Ok(()));
    }

    #[test]
    fn options_that_could_name_another_file_are_refused() {
        for fine in ["b", "abpv(-2)V(4)W(1)", "B(1.5)d", ""] {
            assert_eq!(check_options(fine), Ok(()), "{fine}");
        }
        for wrong in
            ["r(/etc/passwd)", "bt(/tmp/x)", "i(SHELL(x))", "m(100)", "v(r(/tmp/x))", "v(2", "b\\r", "b,x", "\"b"]
        {
            assert!(check_options(wrong).is_err(), "{wrong}");
        }
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
