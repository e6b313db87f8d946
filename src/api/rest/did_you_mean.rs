//! Suggests the name that a client may have meant.

/// How near a known name must be, by Jaro and Winkler from 0 to 1. `Timeot` and `Timeout` have 0.96, `MaxRetries` and
/// `variables` 0.64.
const NEAR: f64 = 0.75;

/// Returns `what`, followed by the known name that is nearest to `name`, if one is near.
pub fn did_you_mean(what: &str, name: &str, known: impl Iterator<Item = String>) -> String {
    let lower = name.to_lowercase();
    let nearness = |known: &String| strsim::jaro_winkler(&lower, &known.to_lowercase());
    match known.filter(|known| nearness(known) >= NEAR).max_by(|a, b| nearness(a).total_cmp(&nearness(b))) {
        Some(nearest) => format!("{what}, did you mean {nearest:?}?"),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_is_near_is_suggested() {
        let known = || ["Timeout", "variables", "retry", "asterisk_server_code"].map(str::to_owned).into_iter();
        for (name, nearest) in [
            ("Timeot", Some("Timeout")),
            ("timeout", Some("Timeout")),
            ("Variables", Some("variables")),
            ("server_code", Some("asterisk_server_code")),
            ("MaxRetries", None),
            ("x", None),
        ] {
            let expected = match nearest {
                Some(nearest) => format!("unknown field, did you mean {nearest:?}?"),
                None => "unknown field".to_owned(),
            };
            assert_eq!(did_you_mean("unknown field", name, known()), expected, "{name}");
        }
    }
}
