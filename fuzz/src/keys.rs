//! API keys: whole ones are read as they were written, and nothing else is a key.

use trunkline::api::auth::{ApiKey, KeyKind, hash_secret};
use trunkline::fuzzing::key;

/// The characters of a key's id and of its secret.
const LENGTHS: (usize, usize) = (16, 32);

/// Reads the input as a key, and makes a key of its bytes and reads that.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(read) = ApiKey::parse(&text) {
        check_key(&text, &read);
    }
    if let [kind, place, other, rest @ ..] = input {
        let kind = [KeyKind::Live, KeyKind::Test, KeyKind::Admin][usize::from(*kind) % 3];
        let mut letters = rest.iter().chain(std::iter::repeat(&0)).map(|byte| letter(*byte));
        let key_id: String = letters.by_ref().take(LENGTHS.0).collect();
        let secret: String = letters.take(LENGTHS.1).collect();
        let text = key(kind, &key_id, &secret);
        let read = ApiKey::parse(&text).expect("a key that was made is read");
        assert_eq!((read.kind, &read.key_id, read.secret_sha256), (kind, &key_id, hash_secret(&secret)));
        check_key(&text, &read);

        // Every checksum notices a change of one character.
        let place = usize::from(*place) % text.len();
        let mut forged = text.clone().into_bytes();
        forged[place] = *other;
        if forged != text.as_bytes() {
            assert!(ApiKey::parse(&String::from_utf8_lossy(&forged)).is_none(), "{text} was changed at {place}");
        }
    }
}

fn check_key(text: &str, read: &ApiKey) {
    let rest = text.strip_prefix(read.kind.prefix()).expect("a key begins with the prefix of its kind");
    assert_eq!(rest.len(), LENGTHS.0 + 1 + LENGTHS.1 + 6, "{text} has the length of a key");
    assert_eq!(rest.get(..LENGTHS.0), Some(read.key_id.as_str()));
    assert!(!format!("{read:?}").contains(&rest[LENGTHS.0 + 1..]), "a key's secret is not printed");
    for end in 0..text.len() {
        assert!(ApiKey::parse(&text[..end]).is_none(), "a part of {text} is no key");
    }
    for longer in [format!("{text}0"), format!(" {text}"), format!("{text}\n")] {
        assert!(ApiKey::parse(&longer).is_none(), "{longer:?} is no key");
    }
}

/// Makes a byte one of the 62 letters and digits.
fn letter(byte: u8) -> char {
    let letters = ('0'..='9').chain('A'..='Z').chain('a'..='z');
    letters.cycle().nth(usize::from(byte % 62)).unwrap_or('0')
}
