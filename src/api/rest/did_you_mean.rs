//! Suggests the name that a client may have meant.

/// Returns `what`, followed by the known name that is nearest to `name`.
pub fn did_you_mean(what: &str, name: &str, known: impl Iterator<Item = String>) -> String {
    let lower = name.to_lowercase();
    let nearness = |known: &String| strsim::jaro_winkler(&lower, &known.to_lowercase());
    match known.max_by(|a, b| nearness(a).total_cmp(&nearness(b))) {
        Some(nearest) => format!("{what}, did you mean {nearest:?}?"),
        None => what.to_owned(),
    }
}
