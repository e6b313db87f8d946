//! Options of applications: letters, each of which may have an argument in `()`, such as `tL(60000:30000)`.

use std::fmt::Write as _;

use crate::domain::dial::fault::Fault;

/// One option of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opt {
    /// The letter of the option. Its case matters.
    pub letter: char,
    /// The text in `()` after the letter; None if there are no brackets.
    pub argument: Option<String>,
}

/// Reads the options that a text begins with, and returns the text after the comma that ends them, if there is one.
///
/// Asterisk splits arguments at commas, but not at one in brackets or quotes or after a backslash
/// (`__ast_app_separate_args` in `main/app.c`), and then reads options letter by letter (`ast_app_parse_options`). The two
/// treat quotes, backslashes and nested brackets differently, so that a text with any of these is refused.
///
/// # Errors
/// Refuses everything that is not a letter, and an argument that Asterisk could read differently.
pub fn read(text: &str) -> Result<(Vec<Opt>, Option<&str>), Fault> {
    let mut options: Vec<Opt> = Vec::new();
    let mut rest = text;
    loop {
        let Some(letter) = rest.chars().next() else { return Ok((options, None)) };
        rest = &rest[letter.len_utf8()..];
        match letter {
            ',' => return Ok((options, Some(rest))),
            letter if letter.is_ascii_alphabetic() => {
                let mut argument = None;
                if let Some(inside) = rest.strip_prefix('(') {
                    let Some((text, after)) = inside.split_once(')') else {
                        return Err(Fault::malformed(format_args!("option {letter} has no `)`")));
                    };
                    if let Some(wrong) = text.chars().find(|character| is_unclear(*character)) {
                        return Err(unclear(wrong));
                    }
                    (argument, rest) = (Some(text.to_owned()), after);
                }
                if options.iter().any(|option| option.letter == letter) {
                    return Err(Fault::malformed(format_args!("option {letter} is given twice")));
                }
                options.push(Opt { letter, argument });
            }
            other => return Err(unclear(other)),
        }
    }
}

/// Writes options as Asterisk reads them.
#[must_use]
pub fn write(options: &[Opt]) -> String {
    options.iter().fold(String::new(), |mut text, option| {
        text.push(option.letter);
        if let Some(argument) = &option.argument {
            let _ = write!(text, "({argument})");
        }
        text
    })
}

fn is_unclear(character: char) -> bool {
    character.is_control() || matches!(character, '(' | ')' | '[' | ']' | '"' | '\'' | '\\')
}

/// Makes the fault of a text with a character that Asterisk could read differently than it looks.
pub fn unclear(character: char) -> Fault {
    Fault::malformed(format_args!(
        "`{}` is not allowed here, because Asterisk may not read it as part of the text",
        character.escape_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_end_at_the_first_comma_outside_of_their_arguments() {
        let (options, rest) = read("tL(60000:30000)A(a,b)g,url,x").unwrap();
        assert_eq!(rest, Some("url,x"));
        assert_eq!(write(&options), "tL(60000:30000)A(a,b)g");
        assert_eq!(read(""), Ok((Vec::new(), None)));
        assert_eq!(read(",x"), Ok((Vec::new(), Some("x"))));
    }

    #[test]
    fn options_that_asterisk_could_read_differently_are_refused() {
        for text in [
            "(G(x))",
            "t()(G(x))",
            "t)G(x)",
            "t[,]G(x)",
            r"t(\()G(x)",
            "t\",\"G(x)",
            "\u{1c7}(x)",
            "A(a",
            "t t",
            "tt",
            "t1",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
