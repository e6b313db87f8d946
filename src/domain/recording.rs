//! Where recordings may be stored: below one of the server's recording directories, and nowhere else.

use super::ids::CallId;

/// Why a recording cannot be stored where it was asked to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path is relative.
    #[error("must be an absolute path")]
    Relative,
    /// The path holds a `..`, or an empty part.
    #[error("must not hold `..`, `.` or `//`")]
    Climbs,
    /// MixMonitor would read more into the path than a file name.
    #[error("must not hold `,`, `;`, `|`, `$`, quotes or control characters")]
    Characters,
    /// The path is not below any of the server's recording directories.
    #[error("must be below one of the server's recording directories ({0})")]
    Outside(String),
}

/// Why a recording cannot be made with the options that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// The option names another file, a mailbox, or a variable to write; or it is no option.
    #[error("option {0} of MixMonitor is not allowed, only {OPTIONS}")]
    Letter(char),
    /// The argument in `()` is no number.
    #[error("an argument of MixMonitor's options must be a number in `()`")]
    Argument,
}

/// MixMonitor's options that name no file, mailbox or variable. `r` and `t` would record to any file, and `i` may write
/// through a function.
const OPTIONS: &str = "abBcdDnpSvVW";

/// Checks that MixMonitor's options keep to the recording's own file, as `bv(2)` does.
pub fn check_options(options: &str) -> Result<(), OptionsError> {
    let mut rest = options;
    while let Some(letter) = rest.chars().next() {
        if !OPTIONS.contains(letter) {
            return Err(OptionsError::Letter(letter));
        }
        rest = &rest[letter.len_utf8()..];
        if let Some(argument) = rest.strip_prefix('(') {
            let (number, behind) = argument.split_once(')').ok_or(OptionsError::Argument)?;
            if !number.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
                return Err(OptionsError::Argument);
            }
            rest = behind;
        }
    }
    Ok(())
}

/// Returns `path` if it is a plain file below one of `dirs`.
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

/// Returns the path of a recording for which none was given: `{call_id}.wav` in the first recording directory.
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
    fn options_name_no_other_file() {
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
