//! How Asterisk reads the texts that we write, after its source: a second reader that shares no code with ours.

/// Splits at a character as `__ast_app_separate_args` in `main/app.c` does for `most` arguments, the last of which gets
/// the rest. Brackets and quotes protect it, and a backslash the next character; quotes and backslashes are removed.
pub fn separate(text: &str, separator: char, most: usize) -> Vec<String> {
    let (mut arguments, mut current) = (Vec::new(), String::new());
    let (mut round, mut square, mut quoted) = (0_u32, 0_u32, false);
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '"' => quoted = !quoted,
            '\\' => current.extend(rest.next()),
            _ if quoted => current.push(character),
            _ if character == separator && round == 0 && square == 0 && arguments.len() + 1 < most => {
                arguments.push(std::mem::take(&mut current));
            }
            _ => {
                match character {
                    '(' => round += 1,
                    ')' => round = round.saturating_sub(1),
                    '[' => square += 1,
                    ']' => square = square.saturating_sub(1),
                    _ => {}
                }
                current.push(character);
            }
        }
    }
    arguments.push(current);
    arguments
}

/// Reads options as `ast_app_parse_options64` in `main/app.c` does: letters, each with an argument up to the next `)`.
/// Returns None if a `)` is missing.
pub fn options(text: &str) -> Option<Vec<(char, Option<String>)>> {
    let (mut options, mut rest) = (Vec::new(), text);
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        let argument = match rest.strip_prefix('(') {
            Some(inside) => {
                let (argument, after) = inside.split_once(')')?;
                rest = after;
                Some(argument.to_owned())
            }
            None => None,
        };
        options.push((letter, argument));
    }
    Some(options)
}

/// The parts of a dial string as a channel driver splits them.
#[derive(Debug, PartialEq, Eq)]
pub struct Parts<'t> {
    /// What is called; None if the trunk itself is called.
    pub called: Option<&'t str>,
    /// The endpoint, peer, line or context.
    pub place: &'t str,
    /// The options of a Local channel.
    pub options: &'t str,
}

/// Splits what follows the technology as its driver does.
///
/// * `chan_pjsip.c`, `request`: at the first `/`, and the endpoint at its first `@`.
/// * `chan_sip.c`, `sip_request_call`: the same, after `!` and further `/`, which are none of ours.
/// * `chan_iax2.c`, `parse_dial_string`: the peer ends at the first `/`; the extension is after it.
/// * `chan_dahdi.c`, `determine_starting_point`: the line ends at the first `/`; the number is after it.
/// * `core_local.c`, `local_alloc`: the options are after the first `/`, and the context after the first `@`.
pub fn parts<'t>(technology: &str, resource: &'t str) -> Parts<'t> {
    let (first, second) = resource.split_once('/').map_or((resource, None), |(first, rest)| (first, Some(rest)));
    match technology {
        "Local" => {
            let (exten, context) = first.split_once('@').unwrap_or((first, "default"));
            Parts { called: Some(exten), place: context, options: second.unwrap_or_default() }
        }
        "PJSIP" | "SIP" => match first.split_once('@') {
            Some((user, place)) => Parts { called: Some(user), place, options: "" },
            None => Parts { called: second, place: first, options: "" },
        },
        _ => Parts { called: second, place: first, options: "" },
    }
}
