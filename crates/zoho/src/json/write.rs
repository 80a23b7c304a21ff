//! From a token to one line of JSON. Every name is always there, so that a script need not ask which are.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokcask::Token;
use zeroize::Zeroizing;

use super::{EXTRA, STORE_NAMES};
use crate::buffer::Buffer;
use crate::columns;

/// Writes a token as one line of JSON, without a line end.
///
/// The ten columns in their order, null where there is none; then `extra`, an object; then `created_at` and
/// `updated_at` in milliseconds since 1970, and `revision`, all three null for a token that no store has returned.
///
/// `secret` decides how the client's secret, the three tokens and the extra values are shown: [`mask`](crate::mask)
/// for people, or the secret itself for [`from_json`](super::from_json).
///
/// ```
/// use tokcask::Token;
/// use tokcask_zoho::{from_json, mask, to_json};
///
/// let token = Token::builder().id("7").access_token("1000.fake").build();
/// let shown = to_json(&token, |secret| mask(secret).into());
/// assert!(shown.contains(r#""access_token":"1000.…""#));
/// assert!(from_json(&shown).is_err());
/// assert_eq!(from_json(&to_json(&token, |secret| secret.into())).as_ref(), Ok(&token));
/// ```
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "what it takes for granted holds for every text")]
pub fn to_json(token: &Token, secret: impl Fn(&str) -> Cow<'_, str>) -> Zeroizing<String> {
    let mut line = Line { text: Buffer::with_capacity(1 << 10) };
    line.text.push("{");
    for (column, value) in columns::values(token).into_iter().enumerate() {
        line.name(columns::NAMES[column]);
        match value {
            Some(value) if columns::is_secret(column) => line.json(&*secret(value)),
            value => line.json(&value),
        }
        line.text.push(",");
    }
    line.name(EXTRA);
    line.text.push("{");
    for (at, (key, value)) in token.extra().enumerate() {
        line.text.push(if at == 0 { "" } else { "," });
        line.name(key);
        line.json(&*secret(value));
    }
    line.text.push("}");
    let from_store = [token.created_at().map(unix_ms), token.updated_at().map(unix_ms), token.revision()];
    for (name, value) in STORE_NAMES.iter().zip(from_store) {
        line.text.push(",");
        line.name(name);
        line.json(&value);
    }
    line.text.push("}");
    line.text.into_text().expect("JSON of text is UTF-8")
}

struct Line {
    text: Buffer,
}

impl Line {
    fn name(&mut self, name: &str) {
        self.json(name);
        self.text.push(":");
    }

    fn json<T: Serialize + ?Sized>(&mut self, value: &T) {
        serde_json::to_writer(&mut self.text, value).expect("texts and numbers are JSON, and the buffer takes all");
    }
}

/// A store's clock counts from 1970 on, in less than 64 bits.
fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
