//! Runs every fuzz target of `fuzz/` on its kept corpus and on random changes of it, without a fuzzer.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use targets::{TARGETS, run};

/// The most files of a corpus, and the most bytes of one. More would slow down every run, and the fuzzer.
const MOST_FILES: usize = 400;
const MOST_BYTES: usize = 4096;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// Reads the corpus of a target, sorted by file.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(fuzz().join("corpus").join(target)).expect("every target has a corpus");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).expect("a file"))).collect()
}

#[test]
fn every_input_of_the_corpora_keeps_every_promise() {
    for (target, _) in TARGETS {
        let failed: Vec<_> = corpus(target)
            .into_iter()
            .filter(|(_, input)| catch_unwind(|| run(target, input)).is_err())
            .map(|(path, _)| path)
            .collect();
        assert!(failed.is_empty(), "{target} fails with {failed:?}");
    }
}

#[test]
fn a_corpus_is_small_enough_for_every_run() {
    for (target, _) in TARGETS {
        let corpus = corpus(target);
        assert!((5..=MOST_FILES).contains(&corpus.len()), "{target} has {} inputs", corpus.len());
        let long = corpus.iter().find(|(_, input)| input.len() > MOST_BYTES);
        assert!(long.is_none(), "{:?} has more than {MOST_BYTES} bytes", long.map(|(path, _)| path));
    }
}

#[test]
fn every_target_has_a_binary_that_calls_it() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let manifest: toml::Table =
        fs::read_to_string(fuzz().join("Cargo.toml")).expect("a manifest").parse().expect("TOML");
    let binaries = manifest["bin"].as_array().expect("binaries").iter();
    let binaries: BTreeSet<String> = binaries.map(|bin| bin["name"].as_str().expect("a name").to_owned()).collect();
    assert_eq!(binaries, names);
    for name in names {
        let text = fs::read_to_string(fuzz().join(format!("targets/{name}.rs"))).expect("the source of a binary");
        assert!(text.contains(&format!("run(\"{name}\", input)")), "{name}: {text}");
    }
}

/// One change of an input.
#[derive(Clone, Debug)]
enum Change {
    /// Replaces one byte by another.
    Replace(usize, u8),
    /// Inserts bytes at a place.
    Insert(usize, Vec<u8>),
    /// Removes up to so many bytes.
    Remove(usize, usize),
    /// Puts the beginning of another input of the corpus at a place.
    Splice(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = 0..MOST_BYTES;
    // What separates something in one of the grammars.
    let special = prop::sample::select(b"/@,;:&()[]{}\"'\\$|+-*#.=%!?~^ \r\n\t\0\xff0".to_vec());
    prop_oneof![
        (place.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (place.clone(), prop::collection::vec(special, 1..4)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (place.clone(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (place.clone(), 1..16_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (place, any::<usize>()).prop_map(|(at, other)| Change::Splice(at, other)),
    ]
}

fn changed(mut input: Vec<u8>, changes: Vec<Change>, corpus: &[Vec<u8>]) -> Vec<u8> {
    for change in changes {
        let length = input.len() + 1;
        match change {
            Change::Replace(at, byte) => {
                let last = input.len().saturating_sub(1);
                if let Some(place) = input.get_mut(at % length.min(last + 1)) {
                    *place = byte;
                }
            }
            Change::Insert(at, bytes) => drop(input.splice(at % length..at % length, bytes)),
            Change::Remove(at, count) => {
                let from = at % length;
                drop(input.drain(from..(from + count).min(input.len())));
            }
            Change::Splice(at, other) => {
                let other = &corpus[other % corpus.len()];
                input.truncate(at % length);
                input.extend_from_slice(&other[..other.len() / 2]);
            }
        }
    }
    input
}

fn keeps_every_promise(target: &str) {
    let corpus: Vec<Vec<u8>> = corpus(target).into_iter().map(|(_, input)| input).collect();
    let inputs = prop_oneof![
        4 => (0..corpus.len(), prop::collection::vec(change(), 1..6)),
        1 => (0..corpus.len(), prop::collection::vec(change(), 20..40)),
    ];
    let mut runner = TestRunner::new(Config { cases: 1000, failure_persistence: None, ..Config::default() });
    let done = runner.run(&inputs, |(first, changes)| {
        run(target, &changed(corpus[first].clone(), changes, &corpus));
        Ok(())
    });
    if let Err(failed) = done {
        panic!("{target}: {failed}");
    }
}

/// Defines a test for each target, so that they run in parallel.
macro_rules! random_inputs {
    ($($test:ident: $target:literal;)*) => {
        $(#[test] fn $test() { keeps_every_promise($target); })*

        #[test]
        fn every_target_gets_random_inputs() {
            assert_eq!([$($target),*], TARGETS.map(|(name, _)| name));
        }
    };
}

random_inputs! {
    messages_of_asterisk_are_read_however_they_are_split: "ami";
    arguments_of_applications_are_written_as_they_were_understood: "applications";
    files_of_calls_are_read_or_refused: "csv";
    cursors_are_integers_that_can_be_resumed_at: "cursors";
    dial_strings_are_written_as_they_were_understood: "dial";
    bodies_are_read_or_refused: "json";
    keys_are_whole_or_refused: "keys";
    numbers_have_one_canonical_form: "numbers";
}
