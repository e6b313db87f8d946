//! Parses the arguments of a dialplan application as Asterisk does.
//!
//! Asterisk splits arguments at commas, but not at one in brackets or quotes or after a backslash
//! (`__ast_app_separate_args` in `main/app.c`). It then reads options letter by letter, each with its argument in `()`
//! (`ast_app_parse_options`). The two treat quotes and backslashes differently, so texts with either are refused: only
//! then is it certain what Asterisk will do.

/// The characters that change where Asterisk splits a text at commas, or a list of channels at `&`.
const MARKS: [char; 7] = ['(', ')', '[', ']', '"', '\'', '\\'];

/// Returns the first character of a text that may keep Asterisk from splitting it at each of its commas.
#[must_use]
pub fn mark(text: &str) -> Option<char> {
    text.chars().find(|character| MARKS.contains(character))
}

/// Returns the letters of the options that `text` begins with, without their arguments in `()`, and the text after the
/// comma that ends them.
///
/// # Errors
/// Returns the first character that Asterisk could read differently.
pub fn options(text: &str) -> Result<(Vec<char>, &str), char> {
    let (mut letters, mut depth, mut before) = (Vec::new(), 0_usize, None);
    for (index, character) in text.char_indices() {
        match character {
            // It begins an argument only after a letter; anywhere else Asterisk reads it as an option itself.
            '(' if depth > 0 || before.is_some_and(|before: char| before.is_ascii_alphanumeric()) => depth += 1,
            ')' if depth > 0 => depth -= 1,
            '[' | ']' | '"' | '\\' => return Err(character),
            ',' if depth == 0 => return Ok((letters, text.get(index + 1..).unwrap_or_default())),
            _ if depth > 0 => {}
            ' ' => {}
            // Asterisk cuts each byte to seven bits, which would turn other letters into one of these.
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
    fn options_end_at_the_first_comma_outside_of_their_arguments() {
        let read = |text: &'static str| options(text).map(|(letters, rest)| (letters.into_iter().collect(), rest));
        assert_eq!(read("tL(60000:30000)A(a,(b))g,url,x"), Ok(("tLAg".to_owned(), "url,x")));
        assert_eq!(read(""), Ok((String::new(), "")));
    }

    #[test]
    fn options_that_asterisk_could_read_differently_are_refused() {
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
