//! The files of the project, and the code in them without comments, texts and tests.

use std::fs;
use std::path::Path;

/// One file of the project.
#[derive(Debug)]
pub struct Source {
    /// The path below the project's root, with `/` between its parts.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// Reads all files below a directory of the project that hold text.
pub fn below(dir: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    collect(root, &root.join(dir), &mut sources);
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!sources.is_empty(), "there is no file below {dir}");
    sources
}

/// Reads all Rust files below a directory of the project.
pub fn rust_below(dir: &str) -> Vec<Source> {
    below(dir).into_iter().filter(|source| source.path.ends_with(".rs")).collect()
}

fn collect(root: &Path, path: &Path, sources: &mut Vec<Source>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a directory") {
            collect(root, &entry.expect("an entry").path(), sources);
        }
    } else if let Ok(text) = fs::read_to_string(path) {
        let path = path.strip_prefix(root).expect("a path below the root");
        sources.push(Source { path: path.to_string_lossy().replace('\\', "/"), text });
    }
}

/// Returns the code without comments, and with empty texts and characters.
pub fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let (mut code, mut index) = (String::with_capacity(text.len()), 0);
    while index < chars.len() {
        match (at(index), at(index + 1)) {
            ('/', '/') => index = end(&chars, index, "\n"),
            ('/', '*') => index = end(&chars, index, "*/") + 2,
            ('r', '"' | '#') if raw_text(&chars, index).is_some() => {
                code.push_str("\"\"");
                index = raw_text(&chars, index).unwrap_or(chars.len());
            }
            ('"', _) => {
                code.push_str("\"\"");
                index = quoted(&chars, index);
            }
            ('\'', next) if next == '\\' || at(index + 2) == '\'' => {
                code.push_str("''");
                // An escape may be of the quote itself.
                let from = if next == '\\' { index + 3 } else { index + 2 };
                index = end(&chars, from, "'") + 1;
            }
            (char, _) => {
                code.push(char);
                index += 1;
            }
        }
    }
    code
}

/// Where `what` is next, from `index` on.
fn end(chars: &[char], index: usize, what: &str) -> usize {
    let what: Vec<char> = what.chars().collect();
    (index..chars.len()).find(|&at| chars[at..].starts_with(&what)).unwrap_or(chars.len())
}

fn quoted(chars: &[char], from: usize) -> usize {
    let mut index = from + 1;
    while index < chars.len() && chars[index] != '"' {
        index += if chars[index] == '\\' { 2 } else { 1 };
    }
    index + 1
}

/// Where a raw text ends that begins here; None if none does, as in `r#type`.
fn raw_text(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars[from + 1..].iter().take_while(|char| **char == '#').count();
    let is_text = chars.get(from + 1 + hashes) == Some(&'"');
    let is_word = from > 0 && (chars[from - 1].is_alphanumeric() || chars[from - 1] == '_') && chars[from - 1] != 'b';
    let closing = format!("\"{}", "#".repeat(hashes));
    (is_text && !is_word).then(|| end(chars, from + 2 + hashes, &closing) + closing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_what_is_left_without_comments_and_texts() {
        let text = "use a; // use b;\n/* use c; */ let d = \"use \\\" e;\"; let f = r#\"use \"g\";\"#; let h = '\"'; let i: &'i str;";
        let expected = "use a; \n let d = \"\"; let f = \"\"; let h = ''; let i: &'i str;";
        assert_eq!(code(text), expected);
    }
}
