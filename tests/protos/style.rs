//! Checks the rules of docs/api-style.md that `buf lint` does not know.

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use trunkline::api::openapi::comments::Commented as _;
use trunkline::pb::DESCRIPTORS;

use crate::{PACKAGE, methods, services};

/// Times whose names say when without `_at`, which the guide or the words of the field make clear.
const TIMES: [&str; 8] = ["at", "from", "to", "deadline", "not_before", "until", "server_time", "failing_since"];

/// Lists that are answered as a whole, because an installation has few of what they hold.
const WHOLE: [&str; 6] = ["ListAdminKeys", "ListGrants", "ListKeys", "ListNodes", "ListServers", "ListWebhooks"];

fn messages() -> Vec<MessageDescriptor> {
    let all = DESCRIPTORS.all_messages();
    all.filter(|message| message.package_name() == PACKAGE && !message.is_map_entry()).collect()
}

fn enums() -> Vec<EnumDescriptor> {
    DESCRIPTORS.all_enums().filter(|known| known.package_name() == PACKAGE).collect()
}

fn fields() -> Vec<FieldDescriptor> {
    messages().iter().flat_map(|message| message.fields().collect::<Vec<_>>()).collect()
}

/// Returns the names of what has no comment.
fn without_comment(named: impl Iterator<Item = (String, String)>) -> Vec<String> {
    named.filter(|(_, comment)| comment.is_empty()).map(|(name, _)| name).collect()
}

#[test]
fn everything_in_the_protos_has_a_comment() {
    let services = services().map(|it| (it.full_name().to_owned(), it.comment()));
    let methods = methods().into_iter().map(|it| (it.full_name().to_owned(), it.comment()));
    let messages = messages().into_iter().map(|it| (it.full_name().to_owned(), it.comment()));
    let fields = fields().into_iter().map(|it| (it.full_name().to_owned(), it.comment()));
    let enums_of = enums().into_iter().map(|it| (it.full_name().to_owned(), it.comment()));
    let values = enums().into_iter().flat_map(|it| it.values().collect::<Vec<_>>());
    let values = values.filter(|value| value.number() != 0).map(|it| (it.full_name().to_owned(), it.comment()));
    let all = services.chain(methods).chain(messages).chain(fields).chain(enums_of).chain(values);
    assert_eq!(without_comment(all), Vec::<String>::new());
    let none = [("a".to_owned(), String::new()), ("b".to_owned(), "Says it.".to_owned())];
    assert_eq!(without_comment(none.into_iter()), ["a"]);
}

#[test]
fn the_value_0_of_an_enum_is_unspecified() {
    let other: Vec<String> = enums()
        .iter()
        .filter_map(|known| known.get_value(0))
        .filter(|zero| !zero.name().ends_with("_UNSPECIFIED"))
        .map(|zero| zero.full_name().to_owned())
        .collect();
    assert_eq!(other, Vec::<String>::new());
}

#[test]
fn the_name_of_a_time_says_that_it_is_one() {
    let is_time = |field: &FieldDescriptor| match field.kind() {
        Kind::Message(message) => message.full_name() == "google.protobuf.Timestamp",
        _ => false,
    };
    let ends = ["_at", "_from", "_to", "_until"];
    let other: Vec<String> = fields()
        .iter()
        .filter(|field| is_time(field))
        .filter(|field| !TIMES.contains(&field.name()) && !ends.iter().any(|end| field.name().ends_with(end)))
        .map(|field| field.full_name().to_owned())
        .collect();
    assert_eq!(other, Vec::<String>::new());
}

#[test]
fn a_list_has_results_and_pages_unless_it_is_always_short() {
    for method in methods().iter().filter(|method| method.name().starts_with("List")) {
        let (input, output) = (method.input(), method.output());
        assert!(output.get_field_by_name("results").is_some_and(|field| field.is_list()), "{}", method.name());
        let has_pages = input.get_field_by_name("page_size").is_some();
        assert_eq!(has_pages, !WHOLE.contains(&method.name()), "{}", method.name());
    }
}

#[test]
fn every_file_names_its_go_package() {
    for file in DESCRIPTORS.files().filter(|file| file.package_name() == PACKAGE) {
        let options = file.file_descriptor_proto().options.clone().unwrap_or_default();
        assert_eq!(options.go_package(), "trunkline/v1;trunklinev1", "{}", file.name());
    }
}
