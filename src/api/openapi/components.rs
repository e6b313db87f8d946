//! The schemas that operations refer to, each written once.

use std::collections::BTreeMap;

use prost_reflect::MessageDescriptor;

use crate::api::openapi::node::Object;
use crate::api::openapi::schema::{self, Way};

/// Schemas by name, as they are referred to.
#[derive(Debug, Default)]
pub struct Components {
    schemas: BTreeMap<String, Object>,
}

impl Components {
    /// The name of a message's schema, which is made at the first use.
    pub fn schema(&mut self, message: &MessageDescriptor, way: Way) -> String {
        let name = name(message, way);
        if !self.schemas.contains_key(&name) {
            // Before its fields are looked at, which may lead back here.
            self.schemas.insert(name.clone(), Object::default());
            let schema = schema::message(message, way, &[], self);
            self.schemas.insert(name.clone(), schema);
        }
        name
    }

    /// Adds the schema of a request, without the fields that its path holds.
    pub fn request(&mut self, message: &MessageDescriptor, in_path: &[&str]) -> String {
        let schema = schema::message(message, Way::Request, in_path, self);
        self.schemas.insert(message.name().to_owned(), schema);
        message.name().to_owned()
    }

    /// All schemas by name.
    pub fn into_schemas(self) -> Object {
        self.schemas.into_iter().map(|(name, schema)| (name, schema.into())).collect()
    }
}

/// The same message may go both ways, with another schema each.
fn name(message: &MessageDescriptor, way: Way) -> String {
    match way {
        Way::Request => format!("{}Input", message.name()),
        Way::Answer => message.name().to_owned(),
    }
}
