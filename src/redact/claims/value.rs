//! Values of JSON members, as far as a claim can be one.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;

/// The last second of the year 9999.
const TIME_MAX: i64 = 253_402_300_799;

/// The value of a member.
pub(super) enum Value<'a> {
    Null,
    Bool,
    Number(Number),
    Text(Cow<'a, str>),
    /// The texts of an array, up to a limit; what is no text is left out.
    List(Vec<Cow<'a, str>>),
    Object {
        is_empty: bool,
    },
}

pub(super) enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl<'a> Value<'a> {
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// One text or several.
    pub fn texts(self) -> Vec<Cow<'a, str>> {
        match self {
            Value::Text(text) => vec![text],
            Value::List(texts) => texts,
            _ => Vec::new(),
        }
    }

    /// A text, or a whole number in digits: some issuers number their subjects.
    pub fn name(self) -> Option<Cow<'a, str>> {
        match self {
            Value::Text(text) => Some(text),
            Value::Number(Number::Unsigned(number)) => Some(number.to_string().into()),
            Value::Number(Number::Signed(number)) => Some(number.to_string().into()),
            _ => None,
        }
    }

    /// Seconds since 1970 (RFC 7519 §2, NumericDate), also where a string holds the number. What lies outside of the years 1970
    /// to 9999 is moved to the nearer end.
    pub fn seconds(&self) -> Option<i64> {
        let seconds = match self {
            Value::Number(Number::Unsigned(number)) => i64::try_from(*number).unwrap_or(i64::MAX),
            Value::Number(Number::Signed(number)) => *number,
            Value::Number(Number::Float(number)) => number.floor() as i64,
            Value::Text(text) => {
                let text = text.trim_ascii();
                let digits = text.strip_prefix('-').unwrap_or(text);
                if digits.len() > 32 || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
                    return None;
                }
                text.parse::<f64>().ok()?.floor() as i64
            }
            _ => return None,
        };
        Some(seconds.clamp(0, TIME_MAX))
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

/// Reads a value. Of an array at most so many texts are kept.
pub(super) struct AnyValue {
    pub texts_max: usize,
}

impl<'de> DeserializeSeed<'de> for AnyValue {
    type Value = Value<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool)
    }
    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Number::Unsigned(number)))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Number::Signed(number)))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Number::Float(number)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        let mut texts = Vec::new();
        while texts.len() < self.texts_max {
            match seq.next_element_seed(AnyValue { texts_max: 0 })? {
                Some(Value::Text(text)) => texts.push(text),
                Some(_) => {}
                None => return Ok(Value::List(texts)),
            }
        }
        // Skipping takes no stack however deep it goes.
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::List(texts))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let mut is_empty = true;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            is_empty = false;
        }
        Ok(Value::Object { is_empty })
    }
}
