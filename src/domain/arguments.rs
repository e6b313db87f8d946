//! The arguments of a dialplan application, found where Asterisk finds them.
//!
//! A comma in brackets or quotes, or behind a backslash, parts nothing (`__ast_app_separate_args` in `main/app.c`), and
//! options are then read letter by letter, each with its argument in `()` (`ast_app_parse_options`). Quotes and
//! backslashes mean something else to each of the two, so who wants to know what Asterisk will do lets none pass.

/// What keeps Asterisk from parting a text at its commas, or peers at `&`.
const MARKS: [char; 7] = ['(', ')', '[', ']', '"', '\'', '\\'];

/// The first character of a text that keeps Asterisk from parting it where it looks parted.
#[must_use]
pub fn mark(text: &str) -> Option<char> {
    text.chars().find(|character| MARKS.contains(character))
}

/// The letters of the options that `text` begins with, without their arguments in `()`, and the arguments behind them.
///
/// # Errors
/// The first character that Asterisk could read otherwise.
pub fn options(text: &str) -> Result<(Vec<char>, &str), char> {
    let (mut letters, mut depth, mut before) = (Vec::new(), 0_usize, None);
    for (index, character) in text.char_indices() {
        match character {
            // Only behind a letter does it begin an argument; elsewhere it is a letter of its own to Asterisk.
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
