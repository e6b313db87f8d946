//! Checks that the details of errors can be decoded with the protos of the repository alone.

use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};
use tonic::Status;
use trunkline::api::Error;

/// Returns the shipped protos of `google.rpc`, which the server does not compile.
fn shipped() -> DescriptorPool {
    let mut compiler = protox::Compiler::new(["proto"]).unwrap();
    compiler.include_imports(true);
    compiler.open_files(["google/rpc/status.proto", "google/rpc/error_details.proto"]).unwrap();
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
}

/// Decodes the details of a status, as a client does that has only the shipped protos.
fn details(status: &Status) -> Vec<DynamicMessage> {
    let pool = shipped();
    let decode =
        |name: &str, bytes: &[u8]| DynamicMessage::decode(pool.get_message_by_name(name).unwrap(), bytes).unwrap();
    let decoded = decode("google.rpc.Status", status.details());
    let details = decoded.get_field_by_name("details").unwrap().into_owned();
    let details = details.as_list().unwrap().iter().map(|any| {
        let any = any.as_message().unwrap().transcode_to::<prost_reflect::prost_types::Any>().unwrap();
        let (_, name) = any.type_url.rsplit_once('/').unwrap();
        decode(name, &any.value)
    });
    details.collect()
}

fn text(message: &DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).as_deref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[test]
fn the_reason_and_the_fields_of_an_error_are_decoded_with_the_shipped_protos() {
    let details = details(&Error::invalid("data[0].action", "required").into());
    let names: Vec<_> = details.iter().map(|detail| detail.descriptor().name().to_owned()).collect();
    assert_eq!(names, ["ErrorInfo", "BadRequest"]);
    assert_eq!(text(&details[0], "domain"), "trunkline");
    let violations = details[1].get_field_by_name("field_violations").unwrap().into_owned();
    let violation = violations.as_list().unwrap()[0].as_message().unwrap().clone();
    assert_eq!(
        (text(&violation, "field").as_str(), text(&violation, "description").as_str()),
        ("data[0].action", "required")
    );
}

#[test]
fn the_shipped_protos_are_not_a_part_of_the_server() {
    let served = |name: &str| trunkline::pb::DESCRIPTORS.get_message_by_name(name).is_some();
    assert!(served("google.api.HttpRule") && !served("google.rpc.ErrorInfo"));
    assert!(shipped().get_message_by_name("google.rpc.ErrorInfo").is_some());
}

#[test]
fn every_reason_is_documented() {
    let page = include_str!("../../docs/errors.md");
    let missing = trunkline::api::Reason::ALL.map(trunkline::api::Reason::as_str);
    let missing: Vec<_> = missing.into_iter().filter(|reason| !page.contains(&format!("| `{reason}` |"))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}
