//! The examples of the contract's guide, whose fields keep the order that they have in the guide.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::api::openapi::node::{Node, Object};

/// Examples of requests and answers by method name.
pub struct Examples(Object);

impl Examples {
    /// Reads the examples from `examples.json`.
    pub fn read() -> Self {
        // This cannot fail: the file is part of the binary, and a test reads it.
        Self(serde_json::from_str(include_str!("examples.json")).unwrap_or_default())
    }

    /// Returns example bodies of requests to a method, each under a name that says what it shows.
    pub fn requests(&self, method: &str) -> Option<Node> {
        self.member(method, "requests")
    }

    /// Returns the whole answer to the first example request.
    pub fn answer(&self, method: &str) -> Option<Node> {
        self.member(method, "answer")
    }

    fn member(&self, method: &str, name: &str) -> Option<Node> {
        match self.0.get(method) {
            Some(Node::Object(examples)) => examples.get(name).cloned(),
            _ => None,
        }
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Plain(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Plain(serde_json::Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut object = Object::default();
        while let Some((name, value)) = members.next_entry::<String, Node>()? {
            object = object.with(name, value);
        }
        Ok(object.into())
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Node::deserialize(deserializer)? {
            Node::Object(object) => Ok(object),
            Node::Plain(_) | Node::List(_) => Err(serde::de::Error::custom("expected an object")),
        }
    }
}
