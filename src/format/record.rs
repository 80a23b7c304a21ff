//! A token as bytes: `bincode` 2 "standard", written down in FORMAT.md so that the crate can be replaced.
//!
//! The only module that knows `bincode`. It panics on hostile lengths without a limit, so every decode has one.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};

use super::{DecodeError, KEY_LEN_MAX, RECORD_LEN_MAX};
use crate::token::{Column, Layout, TokenView};

/// The record as FORMAT.md lays it out. A column of length 0 is null: a stored row has no empty strings.
#[derive(bincode::Encode, bincode::BorrowDecode)]
struct Wire<'a> {
    revision: u64,
    created_ms: u64,
    updated_ms: u64,
    column_lens: [u32; Column::COUNT],
    extra_lens: Vec<(u32, u32)>,
    text: &'a str,
}

const OUTSIDE: DecodeError = DecodeError::Invalid { rule: "field ends outside its text" };
const LIMIT: usize = 4 * RECORD_LEN_MAX as usize;
const CONFIG: Configuration<LittleEndian, Varint, Limit<LIMIT>> = bincode::config::standard().with_limit::<LIMIT>();

/// Reads a record.
///
/// # Errors
/// Anything that a writer following FORMAT.md would not write, to the last byte.
pub fn decode(bytes: &[u8]) -> Result<TokenView<'_>, DecodeError> {
    if bytes.len() > RECORD_LEN_MAX as usize {
        let (len, limit) = (bytes.len() as u64, RECORD_LEN_MAX.into());
        return Err(DecodeError::TooLong { what: "record", len, limit });
    }
    let (wire, consumed) = bincode::borrow_decode_from_slice::<Wire<'_>, _>(bytes, CONFIG)
        .map_err(|_| DecodeError::Invalid { rule: "record does not decode" })?;
    if consumed != bytes.len() {
        return Err(DecodeError::Invalid { rule: "bytes left after the record" });
    }
    if wire.len() != consumed as u64 {
        return Err(DecodeError::Invalid { rule: "record with an integer longer than it need be" });
    }
    wire.into_view()
}

/// Length of a token's record, in bytes.
#[must_use]
pub fn encoded_len(token: &TokenView<'_>) -> u64 {
    Wire::of(token).len()
}

/// Appends a token's record, which must be within the limits.
///
/// # Errors
/// Nothing that a checked token can meet; `out` is then left as it was.
pub fn encode(token: &TokenView<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    const REFUSED: DecodeError = DecodeError::Invalid { rule: "record does not encode" };
    let wire = Wire::of(token);
    let start = out.len();
    let len = usize::try_from(wire.len()).map_err(|_| REFUSED)?;
    out.resize(start.saturating_add(len), 0);
    let written = out.get_mut(start..).map(|space| bincode::encode_into_slice(&wire, space, CONFIG));
    if !matches!(written, Some(Ok(written)) if written == len) {
        out.truncate(start);
        return Err(REFUSED);
    }
    Ok(())
}

impl<'a> Wire<'a> {
    fn of(token: &TokenView<'a>) -> Self {
        let layout = token.layout();
        let mut start = 0;
        let mut lengths = layout.ends.iter().chain(&layout.extra_ends).map(|end| {
            let len = end.saturating_sub(start);
            start = *end;
            len
        });
        let column_lens = std::array::from_fn(|_| lengths.next().unwrap_or(0));
        let mut extra_lens = Vec::with_capacity(layout.extra_ends.len() / 2);
        while let (Some(key), Some(value)) = (lengths.next(), lengths.next()) {
            extra_lens.push((key, value));
        }
        Self {
            revision: layout.revision,
            created_ms: layout.created_ms,
            updated_ms: layout.updated_ms,
            column_lens,
            extra_lens,
            text: token.text(),
        }
    }

    /// What the encoding takes when every integer is as short as it can be.
    fn len(&self) -> u64 {
        let numbers = [self.revision, self.created_ms, self.updated_ms].into_iter();
        let columns = self.column_lens.iter().map(|len| u64::from(*len));
        let extra = self.extra_lens.iter().flat_map(|(key, value)| [u64::from(*key), u64::from(*value)]);
        let counts = [self.extra_lens.len() as u64, self.text.len() as u64];
        let integers = numbers.chain(columns).chain(extra).chain(counts).map(varint_len);
        integers.fold(self.text.len() as u64, u64::saturating_add)
    }

    fn into_view(self) -> Result<TokenView<'a>, DecodeError> {
        let mut layout = Layout {
            created_ms: self.created_ms,
            updated_ms: self.updated_ms,
            revision: self.revision,
            extra_ends: Vec::with_capacity(self.extra_lens.len().saturating_mul(2)),
            ..Layout::default()
        };
        let mut end = 0_u32;
        let mut advance = |len: u32| {
            end = end.checked_add(len).filter(|end| self.text.is_char_boundary(*end as usize))?;
            Some(end)
        };
        for (column, (slot, len)) in layout.ends.iter_mut().zip(self.column_lens).enumerate() {
            *slot = advance(len).ok_or(OUTSIDE)?;
            layout.present |= u16::from(len != 0) << column;
        }
        for (key, value) in &self.extra_lens {
            if *key == 0 || *value == 0 {
                return Err(DecodeError::Invalid { rule: "empty extra key or value" });
            }
            layout.extra_ends.push(advance(*key).ok_or(OUTSIDE)?);
            layout.extra_ends.push(advance(*value).ok_or(OUTSIDE)?);
        }
        if end as usize != self.text.len() {
            return Err(DecodeError::Invalid { rule: "text longer than its fields" });
        }
        let view = TokenView::new(self.text, layout);
        check(&view)?;
        Ok(view)
    }
}

fn check(view: &TokenView<'_>) -> Result<(), DecodeError> {
    if view.id().is_none() {
        return Err(DecodeError::Invalid { rule: "record without an id" });
    }
    if view.revision().is_none() {
        return Err(DecodeError::Invalid { rule: "record without a revision" });
    }
    if !view.extra().map(|(key, _)| key).is_sorted_by(|before, after| before < after) {
        return Err(DecodeError::Invalid { rule: "extra keys not in ascending order" });
    }
    check_keys(view)
}

/// Length of a token's record, in bytes, if it is small enough to be stored.
///
/// # Errors
/// `TooLong`, naming the column or the record.
pub fn checked_len(token: &TokenView<'_>) -> Result<u64, DecodeError> {
    check_keys(token)?;
    let len = encoded_len(token);
    if len > RECORD_LEN_MAX.into() {
        return Err(DecodeError::TooLong { what: "record", len, limit: RECORD_LEN_MAX.into() });
    }
    Ok(len)
}

fn check_keys(token: &TokenView<'_>) -> Result<(), DecodeError> {
    for key in Column::KEYS {
        let len = token.column(key).map_or(0, str::len) as u64;
        if len > KEY_LEN_MAX.into() {
            return Err(DecodeError::TooLong { what: key.name(), len, limit: KEY_LEN_MAX.into() });
        }
    }
    Ok(())
}

fn varint_len(value: u64) -> u64 {
    match value {
        0..=250 => 1,
        251..=0xFFFF => 3,
        0x1_0000..=0xFFFF_FFFF => 5,
        _ => 9,
    }
}
