//! Changes parts of a JSON text and leaves everything else as it is written.

use jsonc_parser::ast::Object;
use jsonc_parser::common::Range;
use jsonc_parser::{CollectOptions, parse_to_ast};

use crate::api::rest::trailing_commas::TRAILING_COMMAS_ONLY;

/// A place in the text and what stands there instead. A list of them is in the order of their places.
pub type Edit = (Range, String);

/// Returns `body` with the edits that `find` makes of its object. None if there is none, or the body is no JSON object.
pub fn edited(body: &[u8], find: impl FnOnce(&Object<'_>, &mut Vec<Edit>)) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    let document = parse_to_ast(body, &CollectOptions::default(), &TRAILING_COMMAS_ONLY).ok()?.value?;
    let mut edits = Vec::new();
    find(document.as_object()?, &mut edits);
    if edits.is_empty() {
        return None;
    }
    let (mut edited, mut copied) = (String::with_capacity(body.len() + edits.len() * 8), 0);
    for (range, text) in edits {
        edited.push_str(body.get(copied..range.start)?);
        edited.push_str(&text);
        copied = range.end;
    }
    edited.push_str(body.get(copied..)?);
    Some(edited)
}
