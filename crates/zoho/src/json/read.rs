//! From JSON to tokens. Strict, so that a slip of the pen is an error and not a token that lacks a column.
//!
//! A text with `\` escapes passes through a buffer of `serde_json`'s, which is not wiped; one without does not.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use tokcask::Token;
use zeroize::Zeroizing;

use super::{EXTRA, JsonError, JsonFault, STORE_NAMES};
use crate::buffer::read_text;
use crate::import::Rows;
use crate::mask::is_masked;
use crate::{Error, Import, columns};

/// Reads one token, as [`to_json`](super::to_json) writes it without masks.
///
/// An object of the ten columns, each text or null, and `extra`, an object of texts. A name that is missing is `None`,
/// and `""` stays `""`, which clears the stored value on a save. `created_at`, `updated_at` and `revision` may be there
/// and are not looked at.
///
/// # Errors
/// Anything else: other names, a name twice, other types, and a secret as [`mask`](crate::mask) shows it.
///
/// ```
/// use tokcask_zoho::{JsonFault, from_json};
///
/// let token = from_json(r#"{"user_name": "ana", "refresh_token": "fake-refresh", "extra": {"scope": "crm.read"}}"#)?;
/// assert_eq!(token.extra().get("scope"), Some("crm.read"));
///
/// let error = from_json(r#"{"refresh_token": "1000.…fake"}"#).unwrap_err();
/// assert_eq!(error.fault, JsonFault::Masked { name: "refresh_token" });
/// # Ok::<(), tokcask_zoho::JsonError>(())
/// ```
pub fn from_json(line: &str) -> Result<Token, JsonError> {
    Ok(parse(line)?.into_token())
}

/// Reads lines of JSON, one token a line, as [`from_json`] does. `""` counts as null here.
///
/// Lines end in LF or CRLF; blank ones are passed over. Rows without a token are
/// among [`Import::skipped`]. The text is wiped from memory when this returns, except what `reader` buffers itself.
///
/// # Errors
/// [`Error::Json`] for the first line that is not a token, since there is no guessing what was meant; [`Error::Io`] if
/// `reader` fails; [`Error::NotUtf8`] if the text is in another encoding.
///
/// ```
/// let lines = "{\"id\": \"1\", \"access_token\": \"fake-1\"}\n\n{\"id\": \"2\", \"user_name\": \"ana\"}\n";
/// let import = tokcask_zoho::read_json(lines.as_bytes())?;
/// assert_eq!((import.rows.len(), import.skipped[0].line), (1, 3));
/// # Ok::<(), tokcask_zoho::Error>(())
/// ```
pub fn read_json(reader: impl Read) -> Result<Import, Error> {
    let text = read_text(reader)?;
    let mut rows = Rows::default();
    for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').split('\n')) {
        if !text.trim_ascii().is_empty() {
            let fields = parse(text).map_err(|source| Error::Json { line, source })?;
            rows.add(line, fields.without_empty_values().into_token());
        }
    }
    Ok(rows.finish())
}

type Value = Zeroizing<String>;

/// What an object held.
#[derive(Default)]
struct Fields {
    columns: [Option<Value>; columns::COUNT],
    extra: BTreeMap<String, Value>,
}

impl Fields {
    fn without_empty_values(mut self) -> Self {
        for value in &mut self.columns {
            value.take_if(|value| value.is_empty());
        }
        self.extra.retain(|_, value| !value.is_empty());
        self
    }

    fn into_token(self) -> Token {
        let mut builder = Token::builder();
        for (column, value) in self.columns.into_iter().enumerate() {
            if let Some(mut value) = value {
                builder = columns::set(builder, column, std::mem::take(&mut *value));
            }
        }
        for (key, mut value) in self.extra {
            builder = builder.extra(key, std::mem::take(&mut *value));
        }
        builder.build()
    }
}

fn parse(text: &str) -> Result<Fields, JsonError> {
    let fault = Slot::default();
    let mut json = serde_json::Deserializer::from_str(text);
    fault.set(JsonFault::NotAnObject);
    let fields = json.deserialize_any(Object(&fault)).and_then(|fields| json.end().map(|()| fields));
    fields.map_err(|error| JsonError {
        column: error.column(),
        fault: match error.classify() {
            Category::Eof => JsonFault::Truncated,
            Category::Data => fault.0.take().expect("set before every value and at every error of ours"),
            Category::Syntax | Category::Io => JsonFault::NotJson,
        },
    })
}

/// What is wrong if the next value is not what its visitor takes. Set beforehand, and again by a visitor that refuses:
/// an error of `serde_json` would carry nothing but its place, and a text that may quote the value.
#[derive(Default)]
struct Slot(Cell<Option<JsonFault>>);

impl Slot {
    fn set(&self, fault: JsonFault) {
        self.0.set(Some(fault));
    }

    fn refuse<T, E: serde::de::Error>(&self, fault: JsonFault) -> Result<T, E> {
        self.set(fault);
        Err(E::custom("refused"))
    }
}

struct Object<'s>(&'s Slot);

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let slot = self.0;
        let mut fields = Fields::default();
        let mut seen = Vec::with_capacity(columns::COUNT + 1 + STORE_NAMES.len());
        while let Some(name) = map.next_key_seed(Name(slot))? {
            if seen.contains(&name) {
                return slot.refuse(JsonFault::NameTwice { name });
            }
            seen.push(name);
            if let Some(column) = columns::NAMES.iter().position(|known| *known == name) {
                slot.set(JsonFault::NotText { name });
                fields.columns[column] =
                    map.next_value_seed(Nullable(Text { slot, name, is_secret: columns::is_secret(column) }))?;
            } else if name == EXTRA {
                slot.set(JsonFault::ExtraNotAnObject);
                fields.extra = map.next_value_seed(Extra(slot))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(fields)
    }
}

/// A name of the object: one of ours.
struct Name<'s>(&'s Slot);

impl Visitor<'_> for Name<'_> {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<&'static str, E> {
        known_names().find(|known| *known == name).map_or_else(|| self.0.refuse(unknown(name)), Ok)
    }
}

fn known_names() -> impl Iterator<Item = &'static str> {
    columns::NAMES.into_iter().chain([EXTRA]).chain(STORE_NAMES)
}

fn unknown(name: &str) -> JsonFault {
    // Longer ones are nearly none of ours, and comparing takes its time.
    let is_short = name.len() <= 2 * "client_secret".len();
    let name = name.to_lowercase();
    let distance = |known: &&str| strsim::damerau_levenshtein(&name, known);
    let nearest = known_names().filter(|_| is_short).min_by_key(distance);
    // One letter in four may be a slip.
    JsonFault::UnknownName { nearest: nearest.filter(|known| 4 * distance(known) <= known.len()) }
}

/// The object of extra values.
struct Extra<'s>(&'s Slot);

impl<'de> Visitor<'de> for Extra<'_> {
    type Value = BTreeMap<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let slot = self.0;
        let mut extra = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if key.is_empty() {
                return slot.refuse(JsonFault::ExtraKeyEmpty);
            }
            if extra.contains_key(&key) {
                return slot.refuse(JsonFault::ExtraKeyTwice);
            }
            slot.set(JsonFault::ExtraNotText);
            extra.insert(key, map.next_value_seed(Text { slot, name: EXTRA, is_secret: true })?);
        }
        Ok(extra)
    }
}

struct Text<'s> {
    slot: &'s Slot,
    name: &'static str,
    is_secret: bool,
}

impl Visitor<'_> for Text<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        if self.is_secret && is_masked(text) {
            return self.slot.refuse(JsonFault::Masked { name: self.name });
        }
        Ok(Zeroizing::new(text.to_owned()))
    }
}

struct Nullable<'s>(Text<'s>);

impl Visitor<'_> for Nullable<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or null")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Option<Value>, E> {
        self.0.visit_str(text).map(Some)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }
}

/// Lets a visitor be asked for by name: it is its own seed, and takes what is there.
macro_rules! seed {
    ($($visitor:ident),*) => {$(
        impl<'de> DeserializeSeed<'de> for $visitor<'_> {
            type Value = <Self as Visitor<'de>>::Value;

            fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
                input.deserialize_any(self)
            }
        }
    )*};
}

seed!(Name, Extra, Text, Nullable);
