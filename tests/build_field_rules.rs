//! How the build script turns the `(rule)` of a field into a check, and which rules it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a test fails by panicking, and its output is read by people"
)]

#[path = "../build/field_rules.rs"]
mod field_rules;

use prost_reflect::DescriptorPool;

const PACKAGE: &str = "trunkline.v1";

/// Compiles a message `Request` with those fields, and a service that takes it.
fn compile(fields: &str) -> DescriptorPool {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        r#"syntax = "proto3";
        package trunkline.v1;
        import "google/protobuf/duration.proto";
        import "google/protobuf/timestamp.proto";
        import "trunkline/v1/options.proto";
        enum Mood {{ MOOD_UNSPECIFIED = 0; MOOD_GOOD = 1; MOOD_VERY_BAD = 2; }}
        message Part {{ int32 size = 1 [(rule).max = 9]; }}
        message Request {{ {fields} }}
        service S {{ rpc M(Request) returns (Part); }}"#
    );
    std::fs::write(folder.path().join("test.proto"), text).unwrap();
    let mut compiler = protox::Compiler::new([folder.path(), "proto".as_ref()]).unwrap();
    compiler.include_imports(true).open_file("test.proto").unwrap();
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
}

/// The statements that check a message with those fields.
fn checks(fields: &str) -> Vec<String> {
    let text = field_rules::checks(&compile(fields)).unwrap();
    let (_, request) = text.split_once("impl Check for crate::pb::Request {").unwrap();
    let (_, body) = request.split_once("&mut Violations) {\n").unwrap();
    let (body, _) = body.split_once("    }\n}").unwrap();
    body.lines().map(|line| line.trim().to_owned()).collect()
}

#[track_caller]
fn refused(field: &str, because: &str) {
    assert_eq!(field_rules::checks(&compile(field)), Err(format!("trunkline.v1.Request.it: {because}")));
}

#[test]
fn another_bound_in_the_proto_is_another_bound_in_the_check() {
    for bound in [7, 100] {
        let pool = compile(&format!("int32 it = 1 [(rule) = {{min: 0 max: {bound} unit: \"miles\"}}];"));
        let check = format!("&Integer {{ required: false, min: Some(0), max: Some({bound}), unit: \"miles\" }}");
        assert!(field_rules::checks(&pool).unwrap().contains(&check));
        let constant = format!("/// The largest value of `Request.it`.\npub const REQUEST_IT_MAX: i32 = {bound};\n");
        assert!(field_rules::bounds(&pool).unwrap().contains(&constant));
    }
}

#[test]
fn each_kind_of_field_has_its_check() {
    for (field, check) in [
        ("int64 it = 1;", None),
        ("string it = 1;", None),
        ("repeated bool it = 1;", None),
        ("Part it = 1;", Some("message(self.it.as_ref(), false, &at.then(\"it\"), violations);")),
        ("google.protobuf.Timestamp it = 1;", Some("time(self.it.as_ref(), false, &at.then(\"it\"), violations);")),
        (
            "optional bool it = 1 [(rule).required = true];",
            Some("given(self.it.is_some(), &at.then(\"it\"), violations);"),
        ),
        (
            "double it = 1 [(rule) = {above: 0 max: 5}];",
            Some(
                "decimal(nonzero(self.it), const { &Decimal { required: false, min: None, max: Some(5.0), \
                 above: Some(0.0), unit: \"\" } }, &at.then(\"it\"), violations);",
            ),
        ),
        (
            "optional string it = 1 [(rule) = {max_length: 5 allowed: \"0-9_-\"}];",
            Some(
                "text(self.it.as_deref(), const { &Text { max_length: Some(5), allowed: Some(Allowed { characters: \
                 \"0123456789_-\", words: \"digits, `_` and `-`\" }), ..Text::ANY } }, &at.then(\"it\"), violations);",
            ),
        ),
        (
            "Mood it = 1 [(rule).required = true];",
            Some(
                "name(nonzero(self.it), const { &Name { required: true, numbers: &[1, 2], words: \"good or very-bad\" } \
                 }, &at.then(\"it\"), violations);",
            ),
        ),
        (
            "repeated Part it = 1 [(rule) = {required: true max_items: 3}];",
            Some(
                "elements(&self.it, const { &List { required: true, min: 1, max: Some(3) } }, &at.then(\"it\"), \
                 violations, |element, at, violations| element.check(at, violations));",
            ),
        ),
        (
            "map<string, string> it = 1 [(rule).plain = true];",
            Some(
                "entries(&self.it, None, &at.then(\"it\"), violations, |value, at, violations| text(Some(value), \
                 const { &Text { min_length: 1, plain: true, ..Text::ANY } }, at, violations));",
            ),
        ),
    ] {
        assert_eq!(checks(field), check.into_iter().collect::<Vec<_>>(), "{field}");
    }
}

#[test]
fn a_pattern_only_describes() {
    assert_eq!(checks("string it = 1 [(rule).pattern = \"^a$\"];"), [""; 0]);
}

#[test]
fn a_rule_that_nothing_would_check_fails_the_build() {
    refused("string it = 1 [(rule).min = 1];", "min and max are for numbers");
    refused("repeated int32 it = 1 [(rule).max = 1];", "min and max are for numbers");
    refused("int32 it = 1 [(rule).above = 1];", "above is for fractions");
    refused("double it = 1 [(rule) = {above: 1 min: 1}];", "above stands in place of min");
    refused("int32 it = 1 [(rule).max_length = 1];", "lengths are for texts");
    refused("Part it = 1 [(rule).plain = true];", "plain, digits, allowed and pattern are for texts");
    refused("string it = 1 [(rule).min_digits = 1];", "min_digits and max_digits stand together");
    refused("string it = 1 [(rule).format = \"uri\"];", "the only format is uuid, of a text");
    refused("string it = 1 [(rule).max_items = 1];", "min_items and max_items are for lists, and max_items for maps");
    refused(
        "map<string, string> it = 1 [(rule).min_items = 1];",
        "min_items and max_items are for lists, and max_items for maps",
    );
    refused("repeated string it = 1 [(rule).unique = true];", "unique is for lists of enums");
    refused("bool it = 1 [(rule).required = true];", "false is as good as absent");
    refused("google.protobuf.Duration it = 1;", "is not supported");
    refused("repeated google.protobuf.Timestamp it = 1;", "is not supported");
    refused("Mood it = 1 [(rule).only = \"bad\"];", "Mood has no value bad");
    refused(
        "string it = 1 [(rule).allowed = \"a-f\"];",
        "allowed must be made of A-Za-z, 0-9 and signs, `-` last, and is \"a-f\"",
    );
}
