//! The default of `(rest).message`, made from the name of the method.

/// A verb that begins the name of a method, and the participle of it that the message uses.
const PARTICIPLES: [(&str, &str); 10] = [
    ("Add", "added"),
    ("Create", "created"),
    ("Delete", "deleted"),
    ("Get", "fetched"),
    ("Insert", "inserted"),
    ("List", "fetched"),
    ("Remove", "removed"),
    ("Revoke", "revoked"),
    ("Set", "set"),
    ("Update", "updated"),
];

/// Returns what an endpoint says after a success: `ListKillSwitches` says "Kill switches fetched successfully".
///
/// The message is "Done" if the name does not consist of a verb of the list and a noun.
pub fn of(method: &str) -> String {
    let known = PARTICIPLES.iter().find_map(|(verb, participle)| {
        let noun = method.strip_prefix(verb)?;
        noun.starts_with(|first: char| first.is_ascii_uppercase()).then_some((noun, participle))
    });
    known.map_or_else(|| "Done".to_owned(), |(noun, participle)| format!("{} {participle} successfully", words(noun)))
}

/// Returns a name in camel case as words, of which only the first has a capital: `KillSwitch` is `Kill switch`.
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for (index, letter) in name.char_indices() {
        if index > 0 && letter.is_ascii_uppercase() {
            words.push(' ');
            words.push(letter.to_ascii_lowercase());
        } else {
            words.push(letter);
        }
    }
    words
}
