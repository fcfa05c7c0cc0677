//! Reads a tree into the type that the API server would read it into, and refuses what that type does not know.
//!
//! Types of Kubernetes read past fields that they do not know, as the API server does. In here such a field is a mistake: the type
//! asks to have its value ignored, and is told no.

use std::fmt;
use std::slice::Iter;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::tree::Tree;

/// The tree as a `T`.
///
/// # Errors
/// The path of what does not fit, and why.
pub(crate) fn strictly<T: DeserializeOwned>(tree: &Tree<'_>) -> Result<T, Misfit> {
    T::deserialize(Strict(tree))
}

/// What does not fit, and where.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// From the innermost key to the outermost.
    path: Vec<String>,
    reason: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: Vec<&str> = self.path.iter().rev().map(String::as_str).collect();
        write!(out, "{}: {}", path.join("."), self.reason)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self { path: Vec::new(), reason: reason.to_string() }
    }
}

impl Misfit {
    fn under(mut self, key: impl Into<String>) -> Self {
        self.path.push(key.into());
        self
    }
}

struct Strict<'a, 't>(&'a Tree<'t>);

impl<'de> Deserializer<'de> for Strict<'_, '_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Tree::Null => visitor.visit_unit(),
            Tree::Bool(value) => visitor.visit_bool(*value),
            Tree::Integer(value) => visitor.visit_i64(*value),
            Tree::Text(value) | Tree::Plain(value) => visitor.visit_str(value),
            Tree::List(elements) => visitor.visit_seq(Elements { rest: elements.iter(), position: 0 }),
            Tree::Map(fields) => visitor.visit_map(Fields { rest: fields.iter(), current: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if *self.0 == Tree::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Misfit> {
        Err(de::Error::custom("there is no such field"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.0 {
            Tree::Text(word) => visitor.visit_enum(word.as_ref().into_deserializer()),
            Tree::Null | Tree::Bool(_) | Tree::Integer(_) | Tree::Plain(_) | Tree::List(_) | Tree::Map(_) => {
                Err(de::Error::custom("is none of its words"))
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier
    }
}

struct Elements<'a, 't> {
    rest: Iter<'a, Tree<'t>>,
    position: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_, '_> {
    type Error = Misfit;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        let Some(element) = self.rest.next() else {
            return Ok(None);
        };
        self.position += 1;
        let value = seed.deserialize(Strict(element)).map_err(|misfit| misfit.under((self.position - 1).to_string()));
        value.map(Some)
    }
}

struct Fields<'a, 't> {
    rest: Iter<'a, (std::borrow::Cow<'t, str>, Tree<'t>)>,
    current: Option<(&'a str, &'a Tree<'t>)>,
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Misfit;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        let Some((key, value)) = self.rest.next() else {
            return Ok(None);
        };
        self.current = Some((key, value));
        seed.deserialize(key.as_ref().into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misfit> {
        let (key, value) = self.current.take().ok_or_else(|| <Misfit as de::Error>::custom("a value without a key"))?;
        seed.deserialize(Strict(value)).map_err(|misfit| misfit.under(key))
    }
}
