//! A token as bytes. FORMAT.md, "Records": varints, then the text.
//!
//! The bytes are those of `bincode` 2, which some other program may read them with; we read them ourselves, for a find does
//! little else.

use std::cmp::Ordering;

use super::{DecodeError, KEY_LEN_MAX, RECORD_LEN_MAX};
use crate::token::{Column, TokenView};

const UNDECODABLE: DecodeError = DecodeError::Invalid { rule: "record does not decode" };
const TOO_LONG_VARINT: DecodeError = DecodeError::Invalid { rule: "record with an integer longer than it need be" };
const LEFT_OVER: DecodeError = DecodeError::Invalid { rule: "bytes left after the record" };
const OUTSIDE: DecodeError = DecodeError::Invalid { rule: "field ends outside its text" };

/// A varint of one byte is at most this.
const ONE_BYTE_MAX: u8 = 250;
/// First bytes of longer varints.
const TWO_BYTES: u8 = 251;
const FOUR_BYTES: u8 = 252;
const EIGHT_BYTES: u8 = 253;

/// Reads a record.
///
/// # Errors
/// Anything that a writer following FORMAT.md would not write, to the last byte.
pub fn decode(bytes: &[u8]) -> Result<TokenView<'_>, DecodeError> {
    let mut view = TokenView::default();
    decode_into(bytes, &mut view)?;
    Ok(view)
}

/// The same into a view, whatever it held: a find moves none about. What it holds after an error means nothing.
pub(crate) fn decode_into<'a>(bytes: &'a [u8], view: &mut TokenView<'a>) -> Result<(), DecodeError> {
    if bytes.len() > RECORD_LEN_MAX as usize {
        let (len, limit) = (bytes.len() as u64, RECORD_LEN_MAX.into());
        return Err(DecodeError::TooLong { what: "record", len, limit });
    }
    let (view_text, layout) = view.parts_mut();
    let mut input = Varints { rest: bytes };
    layout.revision = input.next()?;
    layout.created_ms = input.next()?;
    layout.updated_ms = input.next()?;
    let mut end = input.next_ends(&mut layout.ends)?;
    // What is stored is not empty.
    layout.cleared = 0;
    layout.extra_ends.clear();
    let pairs = input.next()?;
    if pairs > 0 {
        end = input.next_extra(pairs, end, &mut layout.extra_ends)?;
    }
    let text_len = input.next()?;
    let text = input.rest;
    match text_len.cmp(&(text.len() as u64)) {
        Ordering::Less => return Err(LEFT_OVER),
        Ordering::Equal => {}
        Ordering::Greater => return Err(UNDECODABLE),
    }
    let text = simdutf8::basic::from_utf8(text).map_err(|_| UNDECODABLE)?;
    match (end as usize).cmp(&text.len()) {
        Ordering::Less => return Err(DecodeError::Invalid { rule: "text longer than its fields" }),
        Ordering::Equal => {}
        Ordering::Greater => return Err(OUTSIDE),
    }
    // Ends ascend, and the last one is the text's.
    let is_boundary = |end: &u32| text.is_char_boundary(*end as usize);
    if !(layout.ends.iter().all(is_boundary) && layout.extra_ends.iter().all(is_boundary)) {
        return Err(OUTSIDE);
    }
    *view_text = text;
    check(view)
}

/// Length of a token's record, in bytes.
#[must_use]
pub fn encoded_len(token: &TokenView<'_>) -> u64 {
    let mut len = token.text().len() as u64;
    each_integer(token, |value| len = len.saturating_add(varint_len(value)));
    len
}

/// Appends a token's record, which must be within the limits.
pub fn encode(token: &TokenView<'_>, out: &mut Vec<u8>) {
    // All at once, so that no half-written copy of a secret is left behind by growth.
    out.reserve(usize::try_from(encoded_len(token)).unwrap_or_default());
    each_integer(token, |value| push_varint(value, out));
    out.extend_from_slice(token.text().as_bytes());
}

/// Tells `f` the integers of a record, in order.
fn each_integer(token: &TokenView<'_>, mut f: impl FnMut(u64)) {
    let layout = token.layout();
    f(layout.revision);
    f(layout.created_ms);
    f(layout.updated_ms);
    let columns_end = each_len(0, &layout.ends, &mut f);
    f((layout.extra_ends.len() / 2) as u64);
    each_len(columns_end, &layout.extra_ends, &mut f);
    f(token.text().len() as u64);
}

/// Tells `f` the lengths of what ends there, the first beginning at `start`; returns where the last one ends.
fn each_len(start: u32, ends: &[u32], f: &mut impl FnMut(u64)) -> u32 {
    ends.iter().fold(start, |start, end| {
        f(end.saturating_sub(start).into());
        *end
    })
}

/// Reads varints one after the other.
struct Varints<'a> {
    rest: &'a [u8],
}

impl Varints<'_> {
    #[inline]
    fn next(&mut self) -> Result<u64, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(UNDECODABLE)?;
        self.rest = rest;
        if *first <= ONE_BYTE_MAX {
            return Ok((*first).into());
        }
        self.next_long(*first)
    }

    fn next_long(&mut self, first: u8) -> Result<u64, DecodeError> {
        let (value, shorter_max) = match first {
            TWO_BYTES => (u16::from_le_bytes(self.array()?).into(), ONE_BYTE_MAX.into()),
            FOUR_BYTES => (u32::from_le_bytes(self.array()?).into(), u16::MAX.into()),
            EIGHT_BYTES => (u64::from_le_bytes(self.array()?), u32::MAX.into()),
            _ => return Err(UNDECODABLE),
        };
        if value > shorter_max { Ok(value) } else { Err(TOO_LONG_VARINT) }
    }

    /// The lengths of the columns, as where each ends; returns where the last one does.
    #[inline]
    fn next_ends(&mut self, ends: &mut [u32; Column::COUNT]) -> Result<u32, DecodeError> {
        // A length is seldom longer than a byte can say.
        if let Some((lens, rest)) = self.rest.split_first_chunk::<{ Column::COUNT }>()
            && lens.iter().all(|len| *len <= ONE_BYTE_MAX)
        {
            self.rest = rest;
            return Ok(ends.iter_mut().zip(lens).fold(0_u32, |before, (end, len)| {
                *end = before.saturating_add((*len).into());
                *end
            }));
        }
        ends.iter_mut().try_fold(0_u32, |before, end| {
            *end = before.checked_add(self.next_len()?).ok_or(OUTSIDE)?;
            Ok(*end)
        })
    }

    /// The lengths of so many pairs of extra values, the first of which begins at `end`; returns where the last one ends.
    #[cold]
    fn next_extra(&mut self, pairs: u64, mut end: u32, ends: &mut Vec<u32>) -> Result<u32, DecodeError> {
        // Each takes two bytes or more: no length that is only said makes anybody allocate much.
        let count = usize::try_from(pairs).ok().and_then(|pairs| pairs.checked_mul(2));
        let count = count.filter(|count| *count <= self.rest.len()).ok_or(UNDECODABLE)?;
        ends.reserve_exact(count);
        for _ in 0..count {
            let len = self.next_len()?;
            if len == 0 {
                return Err(DecodeError::Invalid { rule: "empty extra key or value" });
            }
            end = end.checked_add(len).ok_or(OUTSIDE)?;
            ends.push(end);
        }
        Ok(end)
    }

    /// The length of a field.
    fn next_len(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.next()?).map_err(|_| UNDECODABLE)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(UNDECODABLE)?;
        self.rest = rest;
        Ok(*taken)
    }
}

fn push_varint(value: u64, out: &mut Vec<u8>) {
    match (u8::try_from(value), u16::try_from(value), u32::try_from(value)) {
        (Ok(byte), ..) if byte <= ONE_BYTE_MAX => out.push(byte),
        (_, Ok(value), _) => {
            out.push(TWO_BYTES);
            out.extend(value.to_le_bytes());
        }
        (_, _, Ok(value)) => {
            out.push(FOUR_BYTES);
            out.extend(value.to_le_bytes());
        }
        _ => {
            out.push(EIGHT_BYTES);
            out.extend(value.to_le_bytes());
        }
    }
}

fn varint_len(value: u64) -> u64 {
    match value {
        0..=250 => 1,
        251..=0xFFFF => 3,
        0x1_0000..=0xFFFF_FFFF => 5,
        _ => 9,
    }
}

#[inline]
fn check(view: &TokenView<'_>) -> Result<(), DecodeError> {
    if view.layout().len(Column::Id) == 0 {
        return Err(DecodeError::Invalid { rule: "record without an id" });
    }
    if view.revision().is_none() {
        return Err(DecodeError::Invalid { rule: "record without a revision" });
    }
    if !view.layout().extra_ends.is_empty()
        && !view.extra().map(|(key, _)| key).is_sorted_by(|before, after| before < after)
    {
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
    if token.text().len() <= KEY_LEN_MAX as usize {
        return Ok(());
    }
    let len = |key| token.layout().len(key);
    let too_long = Column::KEYS.into_iter().find(|key| len(*key) > KEY_LEN_MAX);
    too_long.map_or(Ok(()), |key| {
        Err(DecodeError::TooLong { what: key.name(), len: len(key).into(), limit: KEY_LEN_MAX.into() })
    })
}
