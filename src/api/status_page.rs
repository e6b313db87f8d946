//! `/`: a page that shows whether the server is ready.

use std::sync::LazyLock;

use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderValue};
use sha2::{Digest as _, Sha256};

/// The page with its version.
static PAGE: LazyLock<String> =
    LazyLock::new(|| include_str!("status.html").replace("{version}", env!("CARGO_PKG_VERSION")));

/// The policy that allows the page's own script and style, by their hashes, and nothing else.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let (script, style) = (hash(&PAGE, "script")?, hash(&PAGE, "style")?);
    let policy = format!(
        "default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'self'; frame-ancestors 'none'; \
         base-uri 'none'"
    );
    HeaderValue::try_from(policy).ok()
});

/// Answers with the page.
pub fn serve() -> Response {
    let mut response = Html(PAGE.as_str()).into_response();
    if let Some(policy) = POLICY.clone() {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Returns the hash of the text in the page's only element of this name, as a policy contains it.
fn hash(page: &str, element: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("<{element}>"))?;
    let (text, _) = rest.split_once(&format!("</{element}>"))?;
    Some(format!("sha256-{}", STANDARD.encode(Sha256::digest(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_the_script_and_the_style_of_the_page() {
        let policy = POLICY.clone().expect("a policy");
        let policy = policy.to_str().unwrap();
        for element in ["script", "style"] {
            assert_eq!(PAGE.matches(&format!("<{element}")).count(), 1, "there is one {element}, and it is inline");
            assert!(policy.contains(&hash(&PAGE, element).unwrap()), "{policy}");
        }
        assert!(!PAGE.contains(" style=") && !PAGE.contains(" onclick="), "an attribute would be blocked");
    }
}
