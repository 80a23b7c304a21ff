//! One operation inside a frame: a put, a delete, a clear, or what a seal or a recovery notes.
//!
//! FORMAT.md, "Operations". Each carries its own checksum, so that a find checks exactly the record that it returns.

use super::frame::FRAME_HEADER_LEN;
use super::header::FRAMES_AT;
use super::input::Input;
use super::seal::{CONTENT_LEN_MORE, Codec, Contents, LogKeys, NONCE_LEN, Nonce, TAG_LEN, Tag};
use super::{ALIGN, DecodeError, FRAME_LEN_MAX, RECORD_LEN_MAX, Seed, aligned, record};
use crate::token::TokenView;
use crate::wipe::Wiped;

/// Length of an operation's header, in bytes.
pub const OPERATION_HEADER_LEN: usize = 16;
/// Length of a *sealed* operation, in bytes.
pub const SEALED_LEN: usize = 24;

pub(super) const CRC_AT: usize = 12;
pub(super) const PUT: u8 = 1;
pub(super) const DELETE: u8 = 2;
pub(super) const CLEAR: u8 = 3;
pub(super) const SEALED: u8 = 4;
pub(super) const RECOVERED: u8 = 5;
pub(super) const OVERFLOW: DecodeError = DecodeError::Invalid { rule: "operation past the end of the number range" };

/// What a find says of another operation than the one that it looks for.
pub(crate) const NO_PUT: DecodeError = DecodeError::Invalid { rule: "another operation where a put was" };

/// What an operation does.
#[derive(Clone, Debug)]
pub enum Operation<'a> {
    /// The row with the record's id now reads so; it is new if there was none.
    Put(TokenView<'a>),
    /// The row with this id is gone.
    Delete(&'a str),
    /// All rows are gone.
    Clear,
    /// The file was complete here, with so many rows.
    Sealed {
        /// Rows at this point.
        rows: u64,
    },
    /// A recovery cut so many bytes from here on.
    Recovered {
        /// Length of what was cut, up to its last byte that was not zero.
        cut_len: u64,
    },
    /// Something that only a holder of the key can read.
    Locked {
        /// Which of the above.
        kind: LockedKind,
    },
}

/// What an operation does of which only the header can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockedKind {
    /// A put.
    Put,
    /// A delete.
    Delete,
    /// A clear.
    Clear,
    /// What a seal counts.
    Sealed,
    /// What a recovery cut.
    Recovered,
}

/// An operation and where it lies.
#[derive(Clone, Debug)]
pub struct Located<'a> {
    /// Its offset in the log.
    pub offset: u64,
    /// Its length with header and padding, in bytes.
    pub len: u64,
    /// Its distance from the start of its frame, in bytes.
    pub distance: u32,
    /// Its checksum.
    pub crc: u32,
    /// The zeros behind it.
    pub padding: &'a [u8],
    /// What it does.
    pub operation: Operation<'a>,
}

/// Length of an operation with this much content, padded; `None` past any limit.
#[must_use]
pub fn operation_len(content_len: u64) -> Option<u64> {
    aligned(content_len.checked_add(OPERATION_HEADER_LEN as u64)?)
}

/// How long the operation at `offset` would be, header and padding included, if these bytes are its header; `None` if
/// they cannot be. Cheap: only a checksum tells whether they are.
#[must_use]
pub fn plausible_len(offset: u64, header: &[u8], content_len_more: u32) -> Option<u64> {
    let mut fields = Input::new(header);
    // The three bytes behind the kind are zero.
    let kind = fields.u32().ok()?;
    let content_len = fields.u32().ok()?;
    let distance = u64::from(fields.u32().ok()?);
    let in_a_frame = distance >= FRAME_HEADER_LEN as u64
        && distance < FRAME_LEN_MAX.into()
        && distance.is_multiple_of(ALIGN)
        && offset >= FRAMES_AT.saturating_add(distance);
    let content_len_max = RECORD_LEN_MAX.saturating_add(content_len_more);
    let possible = (PUT.into()..=RECOVERED.into()).contains(&kind) && content_len <= content_len_max && in_a_frame;
    if possible { operation_len(content_len.into()) } else { None }
}

/// Reads the operation of a plain log that starts at `offset`, the first of `bytes`.
///
/// # Errors
/// A checksum that does not match, or content that FORMAT.md does not allow.
pub fn decode(seed: Seed, offset: u64, bytes: &[u8]) -> Result<Located<'_>, DecodeError> {
    let raw = Raw::decode(seed, offset, bytes, RECORD_LEN_MAX)?;
    let operation = decode_content(raw.kind, raw.content)?;
    Ok(raw.locate(raw.padding, operation))
}

/// Reads the put of a plain log that starts at `offset` and is all of `bytes`, into a view: what a find does.
///
/// # Errors
/// As [`decode`], and for anything but a put, or one of another length.
#[inline]
pub(crate) fn decode_put_into<'a>(
    seed: Seed,
    offset: u64,
    bytes: &'a [u8],
    view: &mut TokenView<'a>,
) -> Result<(), DecodeError> {
    let raw = Raw::decode(seed, offset, bytes, RECORD_LEN_MAX)?;
    if raw.kind == PUT && raw.len == bytes.len() as u64 { record::decode_into(raw.content, view) } else { Err(NO_PUT) }
}

/// Reads the operation of any log that starts at `offset`, the first of `bytes`. A sealed content is opened into `plain`.
///
/// # Errors
/// As [`decode`], and [`DecodeError::Forged`] for what was not sealed with this key for this place.
pub(crate) fn decode_by<'a>(
    codec: &Codec,
    offset: u64,
    bytes: &'a [u8],
    plain: &'a mut Wiped,
) -> Result<Located<'a>, DecodeError> {
    match &codec.contents {
        Contents::Plain => decode(codec.seed, offset, bytes),
        Contents::Sealed(keys) => {
            let raw = Raw::decode_sealed(codec.seed, offset, bytes)?;
            plain.resize(raw.open_len());
            raw.open(keys, plain)
        }
        Contents::Locked => Err(DecodeError::Locked),
    }
}

/// An operation whose checksum is right, and whose content nobody has looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a> {
    offset: u64,
    pub(crate) len: u64,
    pub(super) distance: u32,
    pub(super) crc: u32,
    pub(super) padding: &'a [u8],
    kind: u8,
    /// Its header before the checksum.
    head: &'a [u8],
    content: &'a [u8],
}

impl<'a> Raw<'a> {
    #[inline]
    pub(super) fn decode(seed: Seed, offset: u64, bytes: &'a [u8], content_len_max: u32) -> Result<Self, DecodeError> {
        let mut input = Input::new(bytes);
        let head: &[u8; CRC_AT] = input.chunk()?;
        let crc = input.u32()?;
        let [kind, flags, reserved @ .., c0, c1, c2, c3, d0, d1, d2, d3] = *head;
        let content_len = u32::from_le_bytes([c0, c1, c2, c3]);
        let distance = u32::from_le_bytes([d0, d1, d2, d3]);
        if content_len > content_len_max {
            let (len, limit) = (content_len.into(), content_len_max.into());
            return Err(DecodeError::TooLong { what: "operation", len, limit });
        }
        let content = input.bytes(content_len as usize)?;
        if seed.crc(offset, &[head, content]) != crc {
            return Err(DecodeError::Checksum { of: "operation" });
        }
        if flags != 0 || reserved != [0; 2] {
            return Err(DecodeError::NotZero { field: "reserved field of an operation" });
        }
        let len = operation_len(content_len.into()).ok_or(OVERFLOW)?;
        let padding_len = len.saturating_sub(OPERATION_HEADER_LEN as u64).saturating_sub(content_len.into());
        let padding = input.bytes(usize::try_from(padding_len).map_err(|_| OVERFLOW)?)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(DecodeError::NotZero { field: "padding of an operation" });
        }
        Ok(Self { offset, len, distance, crc, padding, kind, head, content })
    }

    /// The operation of a sealed log that starts at `offset`.
    pub(crate) fn decode_sealed(seed: Seed, offset: u64, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let raw = Self::decode(seed, offset, bytes, RECORD_LEN_MAX.saturating_add(CONTENT_LEN_MORE))?;
        if raw.content.len() < CONTENT_LEN_MORE as usize {
            let (needed, available) = (CONTENT_LEN_MORE.into(), raw.content.len() as u64);
            return Err(DecodeError::Truncated { needed, available });
        }
        Ok(raw)
    }

    /// The parts of a sealed content.
    fn sealed(&self) -> Result<(&'a Nonce, &'a [u8], &'a Tag), DecodeError> {
        let parts = self.content.split_first_chunk::<NONCE_LEN>();
        let parts = parts.and_then(|(nonce, rest)| Some((nonce, rest.split_last_chunk::<TAG_LEN>()?)));
        let (nonce, (sealed, tag)) = parts.ok_or(DecodeError::Forged { what: "operation" })?;
        Ok((nonce, sealed, tag))
    }

    /// The tag of a sealed content.
    pub(super) fn tag(&self) -> Result<Tag, DecodeError> {
        self.sealed().map(|(_, _, tag)| *tag)
    }

    /// Length of a sealed content when it is open.
    pub(crate) fn open_len(&self) -> usize {
        self.content.len().saturating_sub(CONTENT_LEN_MORE as usize)
    }

    /// Opens a sealed content into `plain`, which is as long as that, and reads it.
    pub(crate) fn open<'b>(&self, keys: &LogKeys, plain: &'b mut [u8]) -> Result<Located<'b>, DecodeError>
    where
        'a: 'b,
    {
        let (nonce, sealed, tag) = self.sealed()?;
        plain.copy_from_slice(sealed);
        keys.open(self.offset, self.head, nonce, plain, tag)?;
        let operation = decode_content(self.kind, plain)?;
        Ok(self.locate(self.padding, operation))
    }

    /// What can be said of a sealed operation without a key.
    pub(super) fn locked(&self) -> Result<Located<'a>, DecodeError> {
        let kind = match self.kind {
            PUT => LockedKind::Put,
            DELETE => LockedKind::Delete,
            CLEAR => LockedKind::Clear,
            SEALED => LockedKind::Sealed,
            RECOVERED => LockedKind::Recovered,
            _ => return Err(DecodeError::Unknown { field: "operation kind", value: self.kind.into() }),
        };
        Ok(self.locate(self.padding, Operation::Locked { kind }))
    }

    fn locate<'b>(&self, padding: &'b [u8], operation: Operation<'b>) -> Located<'b> {
        let Self { offset, len, distance, crc, .. } = *self;
        Located { offset, len, distance, crc, padding, operation }
    }
}

fn decode_content(kind: u8, content: &[u8]) -> Result<Operation<'_>, DecodeError> {
    let mut input = Input::new(content);
    let operation = match kind {
        PUT => return record::decode(content).map(Operation::Put),
        DELETE => {
            let id = std::str::from_utf8(input.bytes(content.len())?)
                .map_err(|_| DecodeError::Invalid { rule: "id is not UTF-8" })?;
            if id.is_empty() {
                return Err(DecodeError::Invalid { rule: "delete of an empty id" });
            }
            Operation::Delete(id)
        }
        CLEAR => Operation::Clear,
        SEALED => Operation::Sealed { rows: input.u64()? },
        RECOVERED => Operation::Recovered { cut_len: input.u64()? },
        _ => return Err(DecodeError::Unknown { field: "operation kind", value: kind.into() }),
    };
    if !input.is_empty() {
        return Err(DecodeError::Invalid { rule: "bytes left after an operation's content" });
    }
    Ok(operation)
}
