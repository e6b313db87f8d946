//! The options that give a method its REST form, as plain Rust types.

use prost::{Message, Oneof};
use prost_reflect::{DescriptorPool, MethodDescriptor, Value};

/// `google.api.HttpRule`: the verb and path of an endpoint, and how its request and answer map to the messages.
#[derive(Clone, PartialEq, Message)]
pub struct HttpRule {
    #[prost(oneof = "Pattern", tags = "2, 3, 4, 5, 6, 8")]
    pub pattern: Option<Pattern>,
    #[prost(string, tag = "7")]
    pub body: String,
    #[prost(message, repeated, tag = "11")]
    pub additional_bindings: Vec<Self>,
    #[prost(string, tag = "12")]
    pub response_body: String,
}

/// The verb of a rule, with its path template.
#[derive(Clone, PartialEq, Oneof)]
pub enum Pattern {
    #[prost(string, tag = "2")]
    Get(String),
    #[prost(string, tag = "3")]
    Put(String),
    #[prost(string, tag = "4")]
    Post(String),
    #[prost(string, tag = "5")]
    Delete(String),
    #[prost(string, tag = "6")]
    Patch(String),
    #[prost(message, tag = "8")]
    Custom(CustomPattern),
}

/// `google.api.CustomHttpPattern`. It is refused; it is decoded so that the error can name it.
#[derive(Clone, PartialEq, Message)]
pub struct CustomPattern {
    #[prost(string, tag = "1")]
    pub kind: String,
}

/// `trunkline.v1.RestOptions`, as far as the routes need it.
#[derive(Clone, PartialEq, Message)]
pub struct RestOptions {
    #[prost(string, tag = "1")]
    pub message: String,
}

/// Returns the option `name` of a method, or `None` if it is not set.
pub fn option<T: Message + Default>(
    pool: &DescriptorPool,
    method: &MethodDescriptor,
    name: &str,
) -> Result<Option<T>, String> {
    let extension = pool.get_extension_by_name(name).ok_or_else(|| format!("no such option: {name}"))?;
    let options = method.options();
    if !options.has_extension(&extension) {
        return Ok(None);
    }
    match options.get_extension(&extension).as_ref() {
        Value::Message(message) => message.transcode_to().map(Some).map_err(|error| format!("{name}: {error}")),
        _ => Err(format!("{name}: is not a message")),
    }
}

/// Returns the name of the scope that a method needs, such as `Read`, from the option `trunkline.v1.scope`.
///
/// # Errors
/// Returns an error if the method has no scope.
pub fn scope(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<&'static str, String> {
    let name = "trunkline.v1.scope";
    let extension = pool.get_extension_by_name(name).ok_or_else(|| format!("no such option: {name}"))?;
    match method.options().get_extension(&extension).as_ref() {
        Value::EnumNumber(1) => Ok("Read"),
        Value::EnumNumber(2) => Ok("Write"),
        Value::EnumNumber(3) => Ok("Admin"),
        _ => Err(format!("has no ({name}), which says what a key needs for the method")),
    }
}
