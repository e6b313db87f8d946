//! Which file of `src` uses which, by the paths in their code. Code of tests is left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{Source, code};

/// A module's path below the crate, as `["store", "db"]`; empty for `lib.rs`.
type Module = Vec<String>;

/// The uses of each file, by file: the used file, and one path that says so.
pub type Uses = BTreeMap<String, BTreeMap<String, String>>;

/// Finds the uses between these files, which are all below `src`.
pub fn between(sources: &[Source]) -> Uses {
    let all: BTreeMap<Module, (&str, Vec<Token>)> = sources
        .iter()
        .map(|source| (module(&source.path), (source.path.as_str(), tokens(&code(&source.text)))))
        .collect();
    let of_tests: Vec<Module> = all
        .iter()
        .flat_map(|(module, (_, tokens))| declared(tokens, true).into_iter().map(|name| child(module, name)))
        .collect();
    let is_of_tests = |module: &Module| of_tests.iter().any(|of_tests| module.starts_with(of_tests));
    let files: BTreeMap<&Module, &str> =
        all.iter().filter(|(module, _)| !is_of_tests(module)).map(|(module, (path, _))| (module, *path)).collect();
    let mut uses = Uses::new();
    for (module, path) in &files {
        let of_file = uses.entry((*path).to_owned()).or_default();
        for named in paths(module, &without_tests(&all[*module].1)) {
            // The longest part of the path that is a file: what follows is an item in it.
            let used = (0..=named.len()).rev().find_map(|length| files.get(&named[..length].to_vec()));
            if let Some(used) = used.filter(|used| *used != path) {
                of_file.entry((*used).to_owned()).or_insert_with(|| format!("crate::{}", named.join("::")));
            }
        }
    }
    uses
}

fn module(path: &str) -> Module {
    let below = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    let mut module: Module = below.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

fn child(module: &[String], name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// A word, `::`, or one other character.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Path,
    Other(char),
}

impl Token {
    fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Path | Self::Other(_) => None,
        }
    }
}

fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(char) = chars.next() {
        if char.is_alphanumeric() || char == '_' {
            let mut word = char.to_string();
            while let Some(more) = chars.next_if(|char| char.is_alphanumeric() || *char == '_') {
                word.push(more);
            }
            tokens.push(Token::Word(word));
        } else if char == ':' && chars.next_if_eq(&':').is_some() {
            tokens.push(Token::Path);
        } else if !char.is_whitespace() {
            tokens.push(Token::Other(char));
        }
    }
    tokens
}

/// `#[cfg(test)]`.
fn begins_test(tokens: &[Token]) -> bool {
    let marker = [Token::Other('#'), Token::Other('['), Token::Word("cfg".into()), Token::Other('(')];
    tokens.starts_with(&marker) && tokens.get(4).and_then(Token::word) == Some("test")
}

/// The modules that are declared here and have a file of their own: those of tests, or the others.
fn declared(tokens: &[Token], of_tests: bool) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for (index, window) in tokens.windows(3).enumerate() {
        if let [Token::Word(word), Token::Word(name), Token::Other(';')] = window
            && word == "mod"
        {
            // `#[cfg(test)]` is seven tokens.
            let is_of_tests = index >= 7 && begins_test(&tokens[index - 7..]);
            if is_of_tests == of_tests {
                names.insert(name.as_str());
            }
        }
    }
    names
}

fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let (mut left, mut index) = (Vec::new(), 0);
    while index < tokens.len() {
        let is_module = tokens.get(index + 7).and_then(Token::word) == Some("mod");
        if begins_test(&tokens[index..]) && is_module && tokens.get(index + 9) == Some(&Token::Other('{')) {
            index = closing(tokens, index + 9) + 1;
        } else {
            left.push(tokens[index].clone());
            index += 1;
        }
    }
    left
}

/// Where the brace closes that opens at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Other('{') => depth += 1,
            Token::Other('}') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len() - 1
}

/// All paths in the code of a module that lead into this crate, from its root.
fn paths(module: &[String], tokens: &[Token]) -> BTreeSet<Module> {
    let children = declared(tokens, false);
    let mut inline: Vec<(&str, usize)> = Vec::new();
    let (mut found, mut index) = (BTreeSet::new(), 0);
    while let Some(token) = tokens.get(index) {
        inline.retain(|(_, end)| index <= *end);
        let context: Module = module.iter().cloned().chain(inline.iter().map(|(name, _)| (*name).to_owned())).collect();
        match token.word() {
            Some("mod") if tokens.get(index + 2) == Some(&Token::Other('{')) => {
                if let Some(name) = tokens.get(index + 1).and_then(Token::word) {
                    inline.push((name, closing(tokens, index + 2)));
                }
                index += 3;
            }
            // Not `use<'a>`, which says what a type captures.
            Some("use") if tokens.get(index + 1) != Some(&Token::Other('<')) => {
                let end = tokens[index..].iter().position(|token| *token == Token::Other(';')).unwrap_or(1);
                for path in tree(&tokens[index + 1..index + end]) {
                    found.extend(absolute(&context, &children, &path));
                }
                index += end;
            }
            Some(_) if index == 0 || !matches!(tokens[index - 1], Token::Path | Token::Other('.')) => {
                let path = path_at(tokens, index);
                if path.len() > 1 {
                    found.extend(absolute(&context, &children, &path));
                }
                index += 2 * path.len() - 1;
            }
            Some(_) | None => index += 1,
        }
    }
    found
}

/// The words that `::` joins from here on.
fn path_at(tokens: &[Token], index: usize) -> Vec<String> {
    let mut path = Vec::new();
    let mut at = index;
    while let Some(word) = tokens.get(at).and_then(Token::word) {
        path.push(word.to_owned());
        if tokens.get(at + 1) != Some(&Token::Path) {
            break;
        }
        at += 2;
    }
    path
}

/// The paths of a `use` tree.
fn tree(tokens: &[Token]) -> Vec<Vec<String>> {
    let prefix = path_at(tokens, 0);
    let rest = &tokens[(2 * prefix.len()).min(tokens.len())..];
    if rest.first() != Some(&Token::Other('{')) {
        return vec![prefix];
    }
    let (mut paths, mut depth, mut from) = (Vec::new(), 0, 1);
    for (index, token) in rest.iter().enumerate() {
        match token {
            Token::Other('{') => depth += 1,
            Token::Other('}') => depth -= 1,
            _ => {}
        }
        let ends = (depth == 1 && *token == Token::Other(',')) || depth == 0;
        if ends {
            let branches = if from < index { tree(&rest[from..index]) } else { Vec::new() };
            paths.extend(branches.into_iter().map(|branch| prefix.iter().cloned().chain(branch).collect()));
            from = index + 1;
        }
        if depth == 0 {
            break;
        }
    }
    paths
}

/// The path from the crate's root; None if it leads into another crate, or is that of a local item.
fn absolute(context: &[String], children: &BTreeSet<&str>, path: &[String]) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    let mut rest: Vec<String> = rest.iter().filter(|word| *word != "self").cloned().collect();
    let mut base = match first.as_str() {
        "crate" => Vec::new(),
        "self" => context.to_vec(),
        "super" => context[..context.len().checked_sub(1)?].to_vec(),
        name if children.contains(name) => child(context, name),
        _ => return None,
    };
    while rest.first().is_some_and(|word| word == "super") {
        base.pop();
        rest.remove(0);
    }
    base.extend(rest);
    Some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_use_is_found_however_it_is_written() {
        let sources = [
            source("src/lib.rs", "pub mod a; mod b;"),
            source(
                "src/a/mod.rs",
                "mod c; #[cfg(test)] mod fixtures; use self::c::{C, D as E}; fn f() { crate::b::f(); }",
            ),
            source(
                "src/a/c.rs",
                "// use crate::b;\nstruct C; #[cfg(test)] mod tests { use crate::b; } fn f() { super::super::b::f() }",
            ),
            source("src/a/fixtures.rs", "use crate::b::B;"),
            source("src/b.rs", "use crate::{a::{c, c::C}, b::B}; use std::fs; const A: &str = \"crate::a\";"),
        ];
        let uses = between(&sources);
        let of = |path: &str| uses[path].keys().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(of("src/a/mod.rs"), ["src/a/c.rs", "src/b.rs"]);
        assert_eq!(of("src/a/c.rs"), ["src/b.rs"], "neither a comment nor a test is a use");
        assert_eq!(of("src/b.rs"), ["src/a/c.rs"]);
        assert!(!uses.contains_key("src/a/fixtures.rs"));
    }

    #[test]
    fn a_child_that_uses_its_parents_item_uses_its_parents_file() {
        let sources = [source("src/a.rs", "mod b; pub use b::B;"), source("src/a/b.rs", "use super::A; pub struct B;")];
        let uses = between(&sources);
        assert!(uses["src/a.rs"].contains_key("src/a/b.rs") && uses["src/a/b.rs"].contains_key("src/a.rs"));
    }
}
