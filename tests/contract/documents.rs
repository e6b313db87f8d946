//! Tests `/openapi.json` and `/docs`, in which the server describes its API.

use reqwest::Method;
use serde_json::Value;

use crate::sandbox::Sandbox;

const GUIDE: &str = include_str!("../../docs/contract/legacy-guide.md");

/// Returns the guide's examples that are JSON, without the trailing commas, which JSON does not allow.
fn examples_of_the_guide() -> Vec<Value> {
    let blocks = GUIDE.split("```").filter_map(|block| block.strip_prefix("json\n"));
    let plain = |block: &str| {
        let squeezed: String = block.lines().map(str::trim).collect();
        serde_json::from_str(&squeezed.replace(",}", "}")).unwrap()
    };
    // The others describe types in words.
    blocks.filter(|block| !block.contains("(optional") && !block.contains('|')).map(plain).collect()
}

#[tokio::test]
async fn the_document_needs_no_key_and_holds_the_guides_examples() {
    let sandbox = Sandbox::start();
    let reply = sandbox.send_as("", Method::GET, "/openapi.json", &[], "").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some("application/json")));
    let document = reply.body;
    assert_eq!(document["openapi"], "3.1.0");
    let mut shown = Vec::new();
    for path in ["/queues/insertdataincallqueue", "/queues/insertquickcall"] {
        let operation = &document["paths"][path]["post"];
        let requests = operation["requestBody"]["content"]["application/json"]["examples"].as_object().unwrap();
        shown.extend(requests.values().map(|example| example["value"].clone()));
        shown.push(operation["responses"]["200"]["content"]["application/json"]["example"].clone());
    }
    let guide = examples_of_the_guide();
    assert_eq!(guide.len(), 5);
    for example in &guide {
        assert!(shown.contains(example), "{example}");
    }
}

#[tokio::test]
async fn the_page_needs_no_key_and_nothing_from_elsewhere() {
    let sandbox = Sandbox::start();
    for (path, content_type) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/", "text/html; charset=utf-8"),
        ("/docs/style.css", "text/css; charset=utf-8"),
        ("/docs/page.js", "text/javascript; charset=utf-8"),
    ] {
        let reply = sandbox.send_as("", Method::GET, path, &[], "").await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some(content_type)), "{path}");
        assert!(reply.header("content-security-policy").unwrap().starts_with("default-src 'self'"));
        let text = reply.body.as_str().unwrap();
        assert!(!text.contains("src=\"http") && !text.contains("url(http") && !text.contains("@import"), "{path}");
    }
}
