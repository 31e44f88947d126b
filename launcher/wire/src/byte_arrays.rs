//! Byte arrays, for which JSON has nothing: beside a value that has `null` at their places.

use std::collections::HashSet;
use std::fmt;

pub use bytes::Bytes;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserializer, Serialize, Serializer};

use crate::envelope::encode;

/// The most byte arrays of one value.
pub const MOST: usize = 16;
/// The most bytes that they have together.
pub const MOST_BYTES: usize = 16 << 20;

/// A byte array and its place in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteArray {
    /// The keys that lead there from the value; of a list, its indices.
    pub at: Vec<String>,
    /// Its contents.
    pub bytes: Bytes,
}

impl Serialize for ByteArray {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("ByteArray", 2)?;
        fields.serialize_field("at", &self.at)?;
        fields.serialize_field("base64", &encode(&self.bytes))?;
        fields.end()
    }
}

/// Why byte arrays do not fit a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// Which one, unless it is about all.
    pub index: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// Whether there are no more byte arrays than may be, and `json` has a `null` at the place of each.
pub fn check(arrays: &[ByteArray], json: &str) -> Result<(), Misplaced> {
    let wrong = |index, message: &str| Err(Misplaced { index, message: message.to_owned() });
    if arrays.is_empty() {
        return Ok(());
    }
    if arrays.len() > MOST {
        return wrong(None, &format!("more than {MOST} byte arrays"));
    }
    if arrays.iter().map(|array| array.bytes.len()).sum::<usize>() > MOST_BYTES {
        return wrong(None, &format!("more than {MOST_BYTES} bytes in all byte arrays"));
    }
    let mut places = HashSet::new();
    for (index, array) in arrays.iter().enumerate() {
        if !places.insert(&array.at) {
            return wrong(Some(index), "two byte arrays have this place");
        }
    }
    let mut found = vec![Found::Nothing; arrays.len()];
    let wanted = arrays.iter().map(|array| array.at.as_slice()).enumerate().collect();
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let look = Look { wanted, found: &mut found };
    if let Err(error) = look.deserialize(&mut deserializer).and_then(|()| deserializer.end()) {
        return wrong(None, &format!("the way to their places cannot be read: {error}"));
    }
    match found.iter().position(|found| *found != Found::Null) {
        Some(index) if found.get(index) == Some(&Found::Other) => {
            wrong(Some(index), "there is something else than null at its place")
        }
        Some(index) => wrong(Some(index), "there is no such place"),
        None => Ok(()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Null,
    Other,
}

/// Looks, in one go through a value, at places in it: each with the rest of its way.
struct Look<'a> {
    wanted: Vec<(usize, &'a [String])>,
    found: &'a mut [Found],
}

impl Look<'_> {
    fn here(&mut self, found: Found) {
        for (index, way) in &self.wanted {
            if let Some(at) = self.found.get_mut(*index).filter(|_| way.is_empty()) {
                *at = found;
            }
        }
    }

    /// What is wanted below `key`. Of several values of a key the last counts.
    fn below(&mut self, key: &str) -> Option<Look<'_>> {
        let mut wanted = Vec::new();
        for (index, way) in &self.wanted {
            if let Some((_, rest)) = way.split_first().filter(|(first, _)| *first == key) {
                wanted.push((*index, rest));
                if let Some(found) = self.found.get_mut(*index) {
                    *found = Found::Nothing;
                }
            }
        }
        (!wanted.is_empty()).then_some(Look { wanted, found: &mut *self.found })
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(mut self) -> Result<(), E> {
        self.here(Found::Null);
        Ok(())
    }

    fn visit_bool<E>(mut self, _: bool) -> Result<(), E> {
        self.here(Found::Other);
        Ok(())
    }

    fn visit_i64<E>(mut self, _: i64) -> Result<(), E> {
        self.here(Found::Other);
        Ok(())
    }

    fn visit_u64<E>(mut self, _: u64) -> Result<(), E> {
        self.here(Found::Other);
        Ok(())
    }

    fn visit_f64<E>(mut self, _: f64) -> Result<(), E> {
        self.here(Found::Other);
        Ok(())
    }

    fn visit_str<E>(mut self, _: &str) -> Result<(), E> {
        self.here(Found::Other);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        self.here(Found::Other);
        for index in 0_usize.. {
            let more = match self.below(&index.to_string()) {
                Some(below) => list.next_element_seed(below)?,
                None => list.next_element::<IgnoredAny>()?.map(drop),
            };
            if more.is_none() {
                return Ok(());
            }
        }
        Err(A::Error::custom("a list without an end"))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        self.here(Found::Other);
        while let Some(key) = fields.next_key::<String>()? {
            match self.below(&key) {
                Some(below) => fields.next_value_seed(below)?,
                None => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(way: &[&str], length: usize) -> ByteArray {
        ByteArray { at: way.iter().map(ToString::to_string).collect(), bytes: vec![7; length].into() }
    }

    #[track_caller]
    fn wrong(arrays: &[ByteArray], json: &str) -> (Option<usize>, String) {
        let Misplaced { index, message } = check(arrays, json).unwrap_err();
        (index, message)
    }

    #[test]
    fn they_are_where_null_is() {
        check(&[], "not even JSON").unwrap();
        check(&[array(&[], 1)], "null").unwrap();
        check(&[array(&["1"], 1), array(&["0"], 0)], " [null, null, \"\\ud800\"] ").unwrap();
        check(&[array(&["0", "a", "__proto__", ""], 1)], r#"[{"b":[1],"a":{"__proto__":{"":null}}},1e999]"#).unwrap();
        check(&[array(&["0", "a"], 1), array(&["0", "b"], 1)], r#"[{"a":1,"b":null,"a":null}]"#).unwrap();
    }

    #[test]
    fn a_place_that_is_not_there_or_not_empty() {
        for (way, json) in [
            (["1"].as_slice(), "[null]"),
            (&["0", "a"], "[null]"),
            (&["0", "a"], "[[null]]"),
            (&["00"], "[null]"),
            (&["length"], "[null]"),
        ] {
            assert_eq!(wrong(&[array(way, 1)], json), (Some(0), "there is no such place".to_owned()), "{way:?} {json}");
        }
        for json in ["[1]", "[-1]", "[1.5]", "[\"\"]", "[true]", "[[]]", "[{}]"] {
            let (index, message) = wrong(&[array(&["0"], 1)], json);
            assert_eq!((index, &*message), (Some(0), "there is something else than null at its place"), "{json}");
        }
        let (index, message) = wrong(&[array(&["0", "a"], 1)], r#"[{"a":null,"a":1}]"#);
        assert!(index == Some(0) && message.contains("something else"), "{message}");
        let (index, message) = wrong(&[array(&["0"], 1), array(&["0"], 1)], "[null]");
        assert!(index == Some(1) && message.contains("two"), "{message}");
    }

    #[test]
    fn there_are_only_so_many() {
        let places: Vec<String> = (0..=MOST).map(|index| index.to_string()).collect();
        let json = format!("[{}]", vec!["null"; MOST + 1].join(","));
        let arrays: Vec<ByteArray> = places.iter().map(|place| array(&[place], 1)).collect();
        check(arrays.get(..MOST).unwrap(), &json).unwrap();
        assert!(wrong(&arrays, &json).1.contains("more than 16 byte arrays"));
        check(&[array(&["0"], MOST_BYTES), array(&["1"], 0)], &json).unwrap();
        assert!(wrong(&[array(&["0"], MOST_BYTES), array(&["1"], 1)], &json).1.contains("16777216 bytes"));
    }

    #[test]
    fn a_value_that_nests_without_end_is_an_error() {
        let way: Vec<String> = vec!["0".to_owned(); 1000];
        let array = ByteArray { at: way, bytes: Bytes::new() };
        assert!(wrong(&[array], &"[".repeat(1000)).1.contains("cannot be read"));
    }
}
