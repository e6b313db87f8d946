//! Labels as the user writes them: `KEY=VALUE`.

/// The key and the value of a label.
pub type Label = (String, String);

/// Reads a label. The server checks it.
///
/// # Errors
/// Returns an error if there is no `=`.
pub fn label(text: &str) -> Result<Label, String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE, such as campaign=spring")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_contain_an_equals_sign() {
        assert_eq!(label("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(label("a="), Ok(("a".to_owned(), String::new())));
        assert!(label("a").is_err());
    }
}
