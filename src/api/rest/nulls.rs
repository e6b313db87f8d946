//! Reads `null` as the absence of a field of a message or of an entry of a map.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{StrDeserializer, StringDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer as _, MapAccess, SeqAccess, Visitor,
};

use crate::pb::elements::{MOST_IN_LIST, TooMany};

/// The name from which an enum's unspecified value is read. The build script gives it that name, which no client sends.
const ABSENT: &str = "\0absent";

/// A Deserializer around another one that reads `null` as the default of a field.
///
/// pbjson accepts `null` for optional fields only. In proto3, any other field is absent exactly if it has its default,
/// so that `null` can be read as that default, with its type, without a first pass over the body. In a list, `null` is
/// not an element and stays an error.
pub struct Nulls<D> {
    inner: D,
    position: Position,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// The value is that of a field, which may be absent.
    Field,
    /// The value is the whole document, or an element of a list.
    Element,
}

impl<D> Nulls<D> {
    /// Wraps the deserializer of a whole document.
    pub fn new(inner: D) -> Self {
        Self { inner, position: Position::Element }
    }
}

/// Methods that ask for an option if the value may be absent, and give the visitor the default if it is.
macro_rules! defaulting {
    ($($method:ident($($argument:ident: $type:ty),*) => |$visitor:ident| $default:expr;)*) => { $(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            struct OrDefault<V> { visitor: V, $($argument: $type,)* }
            impl<'de, V: Visitor<'de>> Visitor<'de> for OrDefault<V> {
                type Value = V::Value;
                fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.visitor.expecting(formatter)
                }
                fn visit_none<E: Error>(self) -> Result<V::Value, E> {
                    let $visitor = self.visitor;
                    $default
                }
                fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
                    self.visit_none()
                }
                fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
                    inner.$method($(self.$argument,)* Nested(self.visitor))
                }
            }
            match self.position {
                Position::Field => self.inner.deserialize_option(OrDefault { visitor, $($argument,)* }),
                Position::Element => self.inner.$method($($argument,)* Nested(visitor)),
            }
        }
    )* };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Nulls<D> {
    type Error = D::Error;

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(Nested(visitor))
    }

    defaulting! {
        // pbjson asks for any type to read a number.
        deserialize_any() => |visitor| visitor.visit_u64(0);
        deserialize_bool() => |visitor| visitor.visit_bool(false);
        deserialize_i8() => |visitor| visitor.visit_i8(0);
        deserialize_i16() => |visitor| visitor.visit_i16(0);
        deserialize_i32() => |visitor| visitor.visit_i32(0);
        deserialize_i64() => |visitor| visitor.visit_i64(0);
        deserialize_u8() => |visitor| visitor.visit_u8(0);
        deserialize_u16() => |visitor| visitor.visit_u16(0);
        deserialize_u32() => |visitor| visitor.visit_u32(0);
        deserialize_u64() => |visitor| visitor.visit_u64(0);
        deserialize_f32() => |visitor| visitor.visit_f32(0.0);
        deserialize_f64() => |visitor| visitor.visit_f64(0.0);
        deserialize_char() => |visitor| visitor.visit_char('\0');
        deserialize_str() => |visitor| visitor.visit_str("");
        deserialize_string() => |visitor| visitor.visit_str("");
        deserialize_bytes() => |visitor| visitor.visit_bytes(&[]);
        deserialize_byte_buf() => |visitor| visitor.visit_bytes(&[]);
        deserialize_seq() => |visitor| visitor.visit_seq(Empty(PhantomData));
        deserialize_map() => |visitor| visitor.visit_map(Empty(PhantomData));
        deserialize_identifier() => |visitor| visitor.visit_str("");
        deserialize_ignored_any() => |visitor| visitor.visit_unit();
        deserialize_unit() => |visitor| visitor.visit_unit();
        deserialize_unit_struct(name: &'static str) => |visitor| visitor.visit_unit();
        deserialize_newtype_struct(name: &'static str) => |visitor| visitor.visit_unit();
        deserialize_tuple(len: usize) => |visitor| visitor.visit_seq(Empty(PhantomData));
        deserialize_tuple_struct(name: &'static str, len: usize) =>
            |visitor| visitor.visit_seq(Empty(PhantomData));
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) =>
            |visitor| visitor.visit_map(Empty(PhantomData));
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) => |visitor| {
            let absent: StrDeserializer<_> = ABSENT.into_deserializer();
            visitor.visit_enum(absent)
        };
    }
}

/// A list or an object without elements.
struct Empty<E>(PhantomData<E>);

impl<'de, E: Error> SeqAccess<'de> for Empty<E> {
    type Error = E;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, _: T) -> Result<Option<T::Value>, E> {
        Ok(None)
    }
}

impl<'de, E: Error> MapAccess<'de> for Empty<E> {
    type Error = E;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _: K) -> Result<Option<K::Value>, E> {
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, _: V) -> Result<V::Value, E> {
        Err(E::custom("an empty object has no value"))
    }
}

/// Wraps all that an inner visitor, seed, list or object reads.
struct Nested<T>(T);

macro_rules! same {
    ($($method:ident($type:ty))*) => { $(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.0.$method(value)
        }
    )* };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Nested<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(formatter)
    }

    same! {
        visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_char(char) visit_str(&str)
        visit_borrowed_str(&'de str) visit_string(String) visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8])
        visit_byte_buf(Vec<u8>)
    }

    /// Reads `40.0` as an integer, as JSON Schema does, unless it is so large that a double cannot hold it exactly.
    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let whole = value.fract() == 0.0 && value.abs() < EXACT;
        match whole.then(|| format!("{value:.0}").parse::<i64>()) {
            Some(Ok(integer)) => self.0.visit_i64(integer),
            _ => self.0.visit_f64(value),
        }
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Nulls::new(inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Nulls::new(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Elements { inner: list, read: 0 })
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Elements { inner: object, read: 0 })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(variant)
    }
}

/// The elements of a list or the entries of an object, of which only so many are read.
struct Elements<A> {
    inner: A,
    read: usize,
}

impl<A> Elements<A> {
    fn count<E: Error>(&mut self) -> Result<(), E> {
        self.read += 1;
        if self.read > MOST_IN_LIST { Err(E::custom(TooMany::InList(String::new()))) } else { Ok(()) }
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        let element = self.inner.next_element_seed(Seed { seed, position: Position::Element })?;
        if element.is_some() {
            self.count()?;
        }
        Ok(element)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Elements<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.count()?;
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.inner.next_value_seed(Seed { seed, position: Position::Field })
    }

    /// Reads a map entry by entry, and passes over entries whose value is `null`.
    fn next_entry_seed<K: DeserializeSeed<'de>, V: DeserializeSeed<'de>>(
        &mut self,
        key_seed: K,
        value_seed: V,
    ) -> Result<Option<(K::Value, V::Value)>, A::Error> {
        let mut value_seed = Some(value_seed);
        while let Some(key) = self.inner.next_key::<String>()? {
            self.count()?;
            if let Some(value) = self.inner.next_value_seed(UnlessNull(&mut value_seed))? {
                let key: StringDeserializer<A::Error> = key.into_deserializer();
                return Ok(Some((key_seed.deserialize(key)?, value)));
            }
        }
        Ok(None)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

struct Seed<T> {
    seed: T,
    position: Position,
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<T::Value, D::Error> {
        self.seed.deserialize(Nulls { inner, position: self.position })
    }
}

/// A seed that is used for a value, and kept for the next one if the value is `null`.
struct UnlessNull<'a, V>(&'a mut Option<V>);

impl<'de, V: DeserializeSeed<'de>> DeserializeSeed<'de> for UnlessNull<'_, V> {
    type Value = Option<V::Value>;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
        inner.deserialize_option(self)
    }
}

impl<'de, V: DeserializeSeed<'de>> Visitor<'de> for UnlessNull<'_, V> {
    type Value = Option<V::Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
        self.0.take().map(|seed| seed.deserialize(Nulls::new(inner))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;

    use super::*;
    use crate::pb::{DialPolicy, DidPolicy};

    #[test]
    fn null_is_an_enums_unspecified_value() {
        let read = |text: &str| DialPolicy::deserialize(Nulls::new(&mut serde_json::Deserializer::from_str(text)));
        assert_eq!(read(r#"{"did_policy": null}"#).unwrap(), DialPolicy::default());
        assert_eq!(read(r#"{"did_policy": "force"}"#).unwrap().did_policy(), DidPolicy::Force);
        assert!(read(r#"{"did_policy": "unspecified"}"#).is_err());
    }
}
