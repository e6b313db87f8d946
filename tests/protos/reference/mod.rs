//! Makes `docs/reference` from the protos, and checks that it is up to date. `bin/reference` writes it.

mod fields;
mod links;
mod pages;
mod rules;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Writes the pages if it is set, in place of comparing them.
const WRITE: &str = "TRUNKLINE_WRITE_REFERENCE";

/// Reads the pages in a folder, by their names.
fn written(folder: &Path) -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    entries
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect()
}

#[test]
fn the_reference_says_what_the_protos_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference");
    let pages = pages::all();
    let before = written(&folder);
    if std::env::var_os(WRITE).is_some() {
        fs::create_dir_all(&folder).unwrap();
        before.keys().filter(|name| !pages.contains_key(*name)).for_each(|name| {
            fs::remove_file(folder.join(name)).unwrap();
        });
        pages.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
        return;
    }
    let stale: Vec<&String> =
        pages.keys().chain(before.keys()).filter(|name| pages.get(*name) != before.get(*name)).collect();
    assert!(stale.is_empty(), "docs/reference is out of date: run bin/reference. These pages differ: {stale:?}");
}

#[test]
fn every_method_message_and_value_is_in_the_reference() {
    let pages = pages::all();
    let all: String = pages.values().map(String::as_str).collect();
    for method in super::methods() {
        assert!(all.contains(&format!("## {}\n", method.name())), "{}", method.name());
        for field in method.input().fields() {
            assert!(all.contains(&format!("| `{}` |", field.json_name())), "{}", field.full_name());
        }
    }
    for text in ["| `in-progress` | 1 |", "GET /calling/api/v1/calls", "[QueueItem](messages.md#queueitem)"] {
        assert!(all.contains(text), "{text}");
    }
}
