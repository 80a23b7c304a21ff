//! Writing one operation: header, content, sealed if the log is, padding.

use super::operation::{CLEAR, CRC_AT, DELETE, OPERATION_HEADER_LEN, OVERFLOW, Operation, PUT, RECOVERED, SEALED};
use super::seal::{CONTENT_LEN_MORE, LogKeys, Nonce, Tag};
use super::{ALIGN_LEN, DecodeError, RECORD_LEN_MAX, Seed, record};

/// Appends an operation to a frame whose first byte has the offset `frame_at` and is the first of `out`, sealed if
/// there is something to seal it with. Returns where it lies and its checksum.
///
/// # Errors
/// An operation over the limits; `out` is then left as it was.
pub(super) fn encode(
    seed: Seed,
    sealing: Option<(&LogKeys, &Nonce)>,
    frame_at: u64,
    operation: &Operation<'_>,
    out: &mut Vec<u8>,
) -> Result<Written, DecodeError> {
    let start = out.len();
    let written = encode_at(seed, sealing, frame_at, operation, start, out);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Where an encoded operation lies.
pub(super) struct Written {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) crc: u32,
    pub(super) padding_len: usize,
    /// Of a sealed one.
    pub(super) tag: Tag,
}

fn encode_at(
    seed: Seed,
    sealing: Option<(&LogKeys, &Nonce)>,
    frame_at: u64,
    operation: &Operation<'_>,
    start: usize,
    out: &mut Vec<u8>,
) -> Result<Written, DecodeError> {
    out.resize(start.saturating_add(OPERATION_HEADER_LEN), 0);
    let content_at = out.len();
    if let Some((_, nonce)) = sealing {
        out.extend(nonce);
    }
    let plain_at = out.len();
    let kind = encode_content(operation, out)?;
    let plain_len = out.len().saturating_sub(plain_at);
    if plain_len > RECORD_LEN_MAX as usize {
        let (len, limit) = (plain_len as u64, RECORD_LEN_MAX.into());
        return Err(DecodeError::TooLong { what: "operation", len, limit });
    }
    let distance = u32::try_from(start).map_err(|_| OVERFLOW)?;
    let offset = frame_at.checked_add(start as u64).ok_or(OVERFLOW)?;
    let content_len = plain_len.saturating_add(if sealing.is_some() { CONTENT_LEN_MORE as usize } else { 0 });
    let fields = [
        u32::from(kind).to_le_bytes(),
        u32::try_from(content_len).map_err(|_| OVERFLOW)?.to_le_bytes(),
        distance.to_le_bytes(),
    ];
    let head = fields.as_flattened();
    let mut tag = Tag::default();
    if let Some((keys, nonce)) = sealing {
        tag = keys.seal(offset, head, nonce, out.get_mut(plain_at..).unwrap_or_default());
        out.extend(tag);
    }
    let crc = seed.crc(offset, &[head, out.get(content_at..).unwrap_or_default()]);
    if let Some((header, crc_bytes)) =
        out.get_mut(start..content_at).and_then(|header| header.split_at_mut_checked(CRC_AT))
    {
        header.copy_from_slice(head);
        crc_bytes.copy_from_slice(&crc.to_le_bytes());
    }
    let padding_len = out.len().next_multiple_of(ALIGN_LEN).saturating_sub(out.len());
    out.resize(out.len().saturating_add(padding_len), 0);
    let len = out.len().saturating_sub(start) as u64;
    Ok(Written { offset, len, crc, padding_len, tag })
}

/// Appends what an operation says; returns its kind.
fn encode_content(operation: &Operation<'_>, out: &mut Vec<u8>) -> Result<u8, DecodeError> {
    Ok(match operation {
        Operation::Put(view) => {
            record::encode(view, out);
            PUT
        }
        Operation::Delete(id) => {
            out.extend(id.as_bytes());
            DELETE
        }
        Operation::Clear => CLEAR,
        Operation::Sealed { rows } => {
            out.extend(rows.to_le_bytes());
            SEALED
        }
        Operation::Recovered { cut_len } => {
            out.extend(cut_len.to_le_bytes());
            RECOVERED
        }
        Operation::Locked { .. } => return Err(DecodeError::Locked),
    })
}
