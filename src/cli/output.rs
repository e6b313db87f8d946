//! Prints responses as aligned text for people, or as the REST API's JSON for programs.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use super::fault::note;
use crate::api::rest::Answer;

/// How responses are printed.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    bold: bool,
}

/// The space between two columns.
const GAP: &str = "  ";

impl Output {
    /// Prints JSON, or text. Text has bold headings on a terminal.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json, bold: io::stdout().is_terminal() }
    }

    /// Returns true if JSON is printed.
    #[must_use]
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// Prints the `results` of a list, one on each line. `columns` are names in the JSON, with dots for nested fields.
    ///
    /// # Errors
    /// Returns an error if standard output cannot be written to.
    pub fn list(self, answer: &impl Serialize, columns: &[&str]) -> anyhow::Result<()> {
        let answer = as_rest(answer)?;
        if self.json {
            return print_json(&answer);
        }
        let results = answer.get("results").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        io::stdout().write_all(self.table(results, columns).as_bytes())?;
        let number = |name| answer.get(name).and_then(Value::as_i64);
        if let (Some(count), Some(page), Some(size)) = (number("count"), number("page"), number("page_size"))
            && page > 0
            && count > page * size
        {
            note(format_args!("page {page} of {}; --page {} shows more", (count - 1) / size + 1, page + 1));
        } else if let Some(token) = answer.get("next_page_token").and_then(Value::as_str) {
            note(format_args!("--page-token {token} shows more"));
        }
        Ok(())
    }

    /// Prints objects, one on each line.
    ///
    /// # Errors
    /// Returns an error if standard output cannot be written to.
    pub fn rows(self, rows: &[Value], columns: &[&str]) -> anyhow::Result<()> {
        io::stdout().write_all(self.table(rows, columns).as_bytes())?;
        Ok(())
    }

    /// Prints one object, a field on each line, and then its lists of objects as tables.
    ///
    /// # Errors
    /// Returns an error if standard output cannot be written to.
    pub fn one(self, answer: &impl Serialize) -> anyhow::Result<()> {
        let answer = as_rest(answer)?;
        if self.json {
            return print_json(&answer);
        }
        let mut fields = Vec::new();
        let mut lists = Vec::new();
        flatten("", &answer, &mut fields, &mut lists);
        let width = fields.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, value) in &fields {
            text.push_str(&format!("{name:width$}{GAP}{value}\n"));
        }
        for (name, rows) in lists {
            text.push_str(&format!("\n{}\n", self.head(&name)));
            let mut columns: Vec<&str> = Vec::new();
            for key in rows.iter().filter_map(Value::as_object).flat_map(Map::keys) {
                if !columns.contains(&key.as_str()) {
                    columns.push(key);
                }
            }
            text.push_str(&self.table(rows, &columns));
        }
        io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }

    /// Prints `sentence`, or `answer` if JSON is wanted.
    ///
    /// # Errors
    /// Returns an error if standard output cannot be written to.
    pub fn say(self, answer: &impl Serialize, sentence: impl std::fmt::Display) -> anyhow::Result<()> {
        if self.json {
            return print_json(&as_rest(answer)?);
        }
        writeln!(io::stdout(), "{sentence}")?;
        Ok(())
    }

    fn table(self, rows: &[Value], columns: &[&str]) -> String {
        let head = columns.iter().map(|column| column.rsplit('.').next().unwrap_or(column).to_uppercase()).collect();
        let cells = rows.iter().map(|row| columns.iter().map(|column| cell(at(row, column))).collect());
        let table: Vec<Vec<String>> = std::iter::once(head).chain(cells).collect();
        let width = |index: usize| table.iter().map(|row| row[index].width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns.len()).map(width).collect();
        let mut text = String::new();
        for (number, row) in table.iter().enumerate() {
            let padded = row.iter().zip(&widths).map(|(cell, width)| {
                let padding = width.saturating_sub(cell.width());
                format!("{cell}{}", " ".repeat(padding))
            });
            let line = padded.collect::<Vec<_>>().join(GAP);
            let line = line.trim_end();
            text.push_str(&if number == 0 { self.head(line) } else { line.to_owned() });
            text.push('\n');
        }
        text
    }

    fn head(self, text: &str) -> String {
        if self.bold { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Converts a message to the JSON that the REST API writes.
///
/// # Errors
/// Returns an error if the message cannot be written as JSON.
pub fn as_rest(answer: &impl Serialize) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(Answer(answer))?)
}

fn print_json(value: &Value) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{value:#}")?;
    Ok(())
}

fn at<'v>(row: &'v Value, column: &str) -> &'v Value {
    column.split('.').try_fold(row, |value, name| value.get(name)).unwrap_or(&Value::Null)
}

/// Writes a value as text for people. Control characters are escaped, because other systems wrote some of the values.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => {
            text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
        }
        Value::Array(values) if values.is_empty() => "-".to_owned(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(","),
        Value::Object(fields) if fields.is_empty() => "-".to_owned(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name}={}", cell(value))).collect::<Vec<_>>().join(" ")
        }
    }
}

fn flatten<'v>(
    name: &str,
    value: &'v Value,
    fields: &mut Vec<(String, String)>,
    lists: &mut Vec<(String, &'v [Value])>,
) {
    match value {
        Value::Object(inner) if name.is_empty() || !inner.is_empty() => {
            for (key, value) in inner {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&name, value, fields, lists);
            }
        }
        Value::Array(rows) if rows.iter().any(Value::is_object) => lists.push((name.to_owned(), rows)),
        other => fields.push((name.to_owned(), cell(other))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PLAIN: Output = Output { json: false, bold: false };

    #[test]
    fn columns_are_aligned_by_what_a_terminal_shows() {
        let rows = [json!({"name": "日本", "ok": true, "in": {"n": 7}}), json!({"name": "a", "ok": false})];
        let table = PLAIN.table(&rows, &["name", "in.n", "ok"]);
        assert_eq!(table, "NAME  N  OK\n日本  7  yes\na     -  no\n");
    }

    #[test]
    fn what_would_move_the_cursor_is_escaped() {
        assert_eq!(cell(&json!("a\u{1b}[2Jb")), "a\\u{1b}[2Jb");
    }

    #[test]
    fn nested_fields_get_dots_and_lists_of_things_tables() {
        let value = json!({"id": 1, "limits": {"most": 2}, "servers": ["a", "b"], "reasons": [{"x": 1}]});
        let (mut fields, mut lists) = (Vec::new(), Vec::new());
        flatten("", &value, &mut fields, &mut lists);
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(fields, ["id=1", "limits.most=2", "servers=a,b"]);
        assert_eq!(lists.len(), 1);
    }
}
