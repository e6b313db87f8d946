//! The arguments of a dialplan application, found where Asterisk finds them.
//!
//! A comma in brackets or quotes, or after a backslash, does not separate arguments (`__ast_app_separate_args` in
//! `main/app.c`). Options are then read letter by letter, each with its argument in `()` (`ast_app_parse_options`). The
//! two treat quotes and backslashes differently, so a check of what Asterisk will do must allow neither.

/// Characters that keep Asterisk from separating a text at its commas, or peers at `&`.
const MARKS: [char; 7] = ['(', ')', '[', ']', '"', '\'', '\\'];

/// Returns the first character of a text that keeps Asterisk from separating it where a reader would.
#[must_use]
pub fn mark(text: &str) -> Option<char> {
    text.chars().find(|character| MARKS.contains(character))
}

/// Returns the letters of the options that `text` begins with, without their arguments in `()`, and the arguments after
/// the options.
///
/// # Errors
///
/// The first character that Asterisk could read differently.
pub fn options(text: &str) -> Result<(Vec<char>, &str), char> {
    let (mut letters, mut depth, mut before) = (Vec::new(), 0_usize, None);
    for (index, character) in text.char_indices() {
        match character {
            // It begins an argument only after a letter; elsewhere Asterisk takes it for an option of its own.
            '(' if depth > 0 || before.is_some_and(|before: char| before.is_ascii_alphanumeric()) => depth += 1,
            ')' if depth > 0 => depth -= 1,
            '[' | ']' | '"' | '\\' => return Err(character),
            ',' if depth == 0 => return Ok((letters, text.get(index + 1..).unwrap_or_default())),
            _ if depth > 0 => {}
            ' ' => {}
            // Asterisk cuts each byte to seven bits, so that other letters turn into these.
            letter if letter.is_ascii_alphanumeric() => letters.push(letter),
            other => return Err(other),
        }
        before = Some(character);
    }
    Ok((letters, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_letters_with_arguments_up_to_a_comma_outside_of_them() {
        let read = |text: &'static str| options(text).map(|(letters, rest)| (letters.into_iter().collect(), rest));
        assert_eq!(read("tL(60000:30000)A(a,(b))g,url,x"), Ok(("tLAg".to_owned(), "url,x")));
        assert_eq!(read(""), Ok((String::new(), "")));
    }

    #[test]
    fn what_asterisk_could_read_otherwise_is_no_option() {
        for (text, wrong) in [
            ("(G(x))", '('),
            ("t()(G(x))", '('),
            ("t)G(x)", ')'),
            ("t[,]G(x)", '['),
            (r"t(\()G(x)", '\\'),
            ("t\",\"G(x)", '"'),
            ("\u{1c7}(x)", '\u{1c7}'),
        ] {
            assert_eq!(options(text), Err(wrong), "{text}");
        }
    }
}
