//! The names that a text for Asterisk may contain: of endpoints, contexts, queues, conferences and sounds.

use super::fault::Fault;

/// The longest name of a dialplan context or extension in bytes. Asterisk cuts longer ones (`AST_MAX_CONTEXT` and
/// `AST_MAX_EXTENSION` are 80, with the final NUL), so that they would name another place than the one that was checked.
pub const MAX_CONTEXT_BYTES: usize = 79;

/// Reads the name of a thing that Asterisk's configuration defines, such as an endpoint, a context, a queue or a
/// conference. It consists of ASCII letters, digits, `_`, `-`, `.` and `+`, and does not begin with `-`, `.` or `+`. No
/// such name contains a character that separates arguments or begins an expression.
///
/// # Errors
/// Returns a fault that names `what` the name is for.
pub fn name(text: &str, what: &str) -> Result<String, Fault> {
    let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.' | '+');
    let begins = text.chars().next().is_some_and(|first| first.is_ascii_alphanumeric() || first == '_');
    if begins && text.chars().all(fits) && text.len() <= MAX_CONTEXT_BYTES {
        return Ok(text.to_owned());
    }
    if text.is_empty() {
        return Err(Fault::malformed(format_args!("the {what} is missing")));
    }
    Err(Fault::malformed(format_args!(
        "the {what} {text:?} must consist of letters, digits, `_`, `-`, `.` and `+`, and have at most 79 characters"
    )))
}

/// Reads a list of sounds, such as `hello&en/goodbye`. Each is a file name relative to Asterisk's directory of sounds.
///
/// # Errors
/// Refuses an absolute path, a path with an empty part, `.` or `..`, and a URL, which Asterisk would fetch.
pub fn sounds(text: &str) -> Result<Vec<String>, Fault> {
    text.split('&').map(sound).collect()
}

fn sound(text: &str) -> Result<String, Fault> {
    let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.' | '/');
    let is_path = !text.split('/').any(|part| matches!(part, "" | "." | ".."));
    if is_path && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(Fault::malformed(format_args!(
        "the sound {text:?} must be a name below Asterisk's sounds directory, such as `hello-world` or `en/hello`: no URL, \
         no absolute path and no `..`"
    )))
}

/// Reads a whole number in a text for Asterisk.
///
/// # Errors
/// Returns a fault that names `what` the number is.
pub fn whole(text: &str, what: &str) -> Result<u32, Fault> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.parse().ok().filter(|number| i32::try_from(*number).is_ok()))
        .flatten()
        .ok_or_else(|| Fault::malformed(format_args!("the {what} {text:?} must be a whole number up to 2147483647")))
}

/// Reads a number of seconds, such as `30` or `1.5`, and returns it as it is written.
///
/// # Errors
/// Returns a fault that names `what` takes so long.
pub fn seconds(text: &str, what: &str) -> Result<String, Fault> {
    let (seconds, fraction) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    whole(seconds, what)?;
    match fraction {
        Some(rest) if rest.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(Fault::malformed(format_args!("the {what} {text:?} must be a number of seconds")))
        }
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_character_that_asterisk_reads_as_more_than_a_part_of_it() {
        for fine in ["endpoint1", "_x", "trunk-2.example", "49", "a+b"] {
            assert_eq!(name(fine, "trunk").as_deref(), Ok(fine));
        }
        for wrong in ["", "-a", ".a", "a b", "a,b", "a&b", "a/b", "a@b", "a:b", "a;b", "a(b", "a|b", "ä", "a\n", "$a"]
        {
            assert!(name(wrong, "trunk").is_err(), "{wrong:?}");
        }
        assert!(name(&"a".repeat(79), "trunk").is_ok() && name(&"a".repeat(80), "trunk").is_err());
    }

    #[test]
    fn a_sound_is_below_the_directory_of_sounds() {
        assert_eq!(sounds("hello&en/bye.v2"), Ok(vec!["hello".to_owned(), "en/bye.v2".to_owned()]));
        for wrong in ["", "a&", "/etc/a", "../a", "a/../b", "a/./b", "a//b", "http://h/a", "say:1", "a,b", "a b", "a/"]
        {
            assert!(sounds(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn seconds_are_a_plain_number() {
        for fine in ["0", "30", "1.5"] {
            assert_eq!(seconds(fine, "time").as_deref(), Ok(fine));
        }
        for wrong in ["", "-1", "1.", ".5", "1e3", "3 0", "2147483648"] {
            assert!(seconds(wrong, "time").is_err(), "{wrong:?}");
        }
    }
}
