//! Checks that every relative link in the README and in `docs/` leads to a file, every anchor to a heading, and every name
//! of a test to a test. Tests the script that counts short doc comments, too.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking, and says what it skips")]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[allow(dead_code, reason = "a part of the support")]
#[path = "support/skip.rs"]
mod skip;

/// A link of a page, by its line.
#[derive(Debug, PartialEq, Eq)]
struct Link<'p> {
    line: usize,
    target: &'p str,
}

/// Returns the lines of a page that are not in a code block, with their numbers.
fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    page.lines().enumerate().filter_map(move |(index, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        (!in_code && !is_fence).then_some((index + 1, line))
    })
}

/// Returns the `[text](target)` links of a page, without those in code.
fn links(page: &str) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    for (number, line) in prose(page) {
        // Every second part is between backticks. A link around code, as [`a`](b), ends in the part after it.
        for part in line.split('`').step_by(2) {
            for (_, after) in part.match_indices("](").map(|(at, found)| part.split_at(at + found.len())) {
                if let Some((target, _)) = after.split_once(')') {
                    links.push(Link { line: number, target });
                }
            }
        }
    }
    links
}

/// Returns the anchors of a page's headings, in the form that code hosts give them.
fn anchors(page: &str) -> HashSet<String> {
    let mut anchors = HashSet::new();
    for heading in prose(page).filter_map(|(_, line)| line.strip_prefix('#')) {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        // A repeated heading gets a number.
        let again = (1..).map(|number| format!("{anchor}-{number}"));
        let mut names = std::iter::once(anchor.clone()).chain(again);
        anchors.extend(names.find(|name| !anchors.contains(name)));
    }
    anchors
}

/// Returns why the link of a page is broken, if it is.
fn fault(page: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let file = match path {
        "" => page.to_owned(),
        path => page.parent().expect("a page is in a folder").join(path),
    };
    if !file.exists() {
        return Some(format!("there is no {path}"));
    }
    let anchor = anchor?;
    if file.extension().is_none_or(|extension| extension != "md") {
        return Some(format!("{path} is not a page: link it without an anchor, because its lines move"));
    }
    let text = fs::read_to_string(&file).expect("a readable page");
    (!anchors(&text).contains(anchor)).then(|| format!("there is no heading #{anchor}"))
}

/// Returns the broken links of a page, each as `page:line: target: why`.
fn faults(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).expect("a readable page");
    let broken = |link: &Link<'_>| {
        let why = fault(page, link.target)?;
        Some(format!("{}:{}: {}: {why}", page.display(), link.line, link.target))
    };
    links(&text).iter().filter_map(broken).collect()
}

fn pages(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut pages: Vec<PathBuf> = Vec::new();
    for path in entries {
        if path.is_dir() {
            pages.extend(self::pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages
}

#[test]
fn every_relative_link_in_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = pages(&root.join("docs"));
    all.extend([root.join("README.md"), root.join("SECURITY.md"), root.join("migrations/README.md")]);
    let links_of = |page: &PathBuf| links(&fs::read_to_string(page).expect("a readable page")).len();
    let count: usize = all.iter().map(links_of).sum();
    assert!(all.len() > 15 && count > 25, "only {} pages with {count} links were found", all.len());
    let broken: Vec<String> = all.iter().flat_map(|page| faults(page)).collect();
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

/// Returns the tests that a page names as `file.rs::function`, but that do not exist.
fn missing_tests(root: &Path, page: &str) -> (usize, Vec<String>) {
    let names = page.split('`').skip(1).step_by(2).filter(|code| code.contains(".rs::"));
    let is_missing = |name: &&str| {
        let (file, function) = name.split_once("::").expect("a file and a function");
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        !text.contains(&format!("fn {function}("))
    };
    (names.clone().count(), names.filter(is_missing).map(str::to_owned).collect())
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/security.md")).expect("a readable page");
    let (count, missing) = missing_tests(root, &page);
    assert!(count > 20, "only {count} tests are named");
    assert!(missing.is_empty(), "these tests do not exist: {missing:#?}");
    let renamed = "| a | `tests/documents.rs::renamed_long_ago`, `tests/gone.rs::a`, `tests/documents.rs::links` |";
    let expected = ["tests/documents.rs::renamed_long_ago", "tests/gone.rs::a"].map(str::to_owned).to_vec();
    assert_eq!(missing_tests(root, renamed), (3, expected));
}

#[test]
fn broken_links_are_found_and_good_ones_are_not() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let page = dir.path().join("page.md");
    fs::write(dir.path().join("other.md"), "# Other\n## Many nodes\n```\n# no heading\n```\n## Many nodes\n")
        .expect("a file");
    fs::write(dir.path().join("code.rs"), "fn main() {}\n").expect("a file");
    let text = "# A `page`, and more\n\
        [file](other.md), [heading](other.md#many-nodes), [again](other.md#many-nodes-1) and [self](#a-page-and-more)\n\
        [source](code.rs), [`code`](code.rs), [web](https://example.org/nothing) and `[no](link.md)`\n\
        ```\n[no](link.md)\n```\n\
        [lost](gone.md) and [folder](nothing/)\n\
        | [cell](other.md#no-heading) | [own](#nothing) |\n\
        [line](code.rs#L1)\n";
    fs::write(&page, text).expect("a file");
    let found: Vec<String> =
        faults(&page).iter().map(|fault| fault.rsplit_once("page.md:").expect("a page").1.into()).collect();
    let expected = [
        "7: gone.md: there is no gone.md",
        "7: nothing/: there is no nothing/",
        "8: other.md#no-heading: there is no heading #no-heading",
        "8: #nothing: there is no heading #nothing",
        "9: code.rs#L1: code.rs is not a page: link it without an anchor, because its lines move",
    ];
    assert_eq!(found, expected);
}

#[test]
fn short_doc_comments_are_found_and_sentences_are_not() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let code = "//! A module with a sentence.\n\n/// Too short.\nfn a() {}\n\n\
        /// Returns the sum\n/// of both.\n// short\n//// short\nfn b() {}\n\n\
        /// Short.\n///\n/// # Errors\n///\n/// ```\n/// many words in an example\n/// ```\nfn c() {}\n";
    let proto = "// Short head.\n\n// Too short.\nmessage A {\n  // The number of a call.\n  int32 a = 1;\n}\n";
    fs::write(dir.path().join("code.rs"), code).expect("a file");
    fs::write(dir.path().join("a.proto"), proto).expect("a file");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bin/doc-words");
    let Ok(output) = Command::new("python3").arg(script).arg(dir.path()).output() else {
        return skip::skipped("no python3: bin/doc-words is not tested");
    };
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let found: Vec<&str> = printed.lines().filter_map(|line| line.rsplit_once('/')).map(|(_, found)| found).collect();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert_eq!(found.len(), 3, "{printed}");
    assert!(found[0].starts_with("a.proto:3: ") && found[1].starts_with("code.rs:3: "), "{printed}");
    assert!(found[2].starts_with("code.rs:12: "), "{printed}");
}
