//! `store.redo`: bytes of the log that an opener is writing again.
//!
//! FORMAT.md, "store.redo".

use super::header::{FRAMES_AT, FileHeader};
use super::input::Input;
use super::{DecodeError, FRAME_LEN_MAX};

/// First bytes of the file.
pub const REDO_MAGIC: [u8; 8] = *b"\x89TKR\r\n\x1a\n";
/// Longest such file.
pub const LEN_MAX: u64 = 2 * FRAME_LEN_MAX as u64;

/// Length of what stands around the bytes.
const AROUND_LEN: usize = 52;

/// The file's content.
#[must_use]
pub fn encode(header: &FileHeader, offset: u64, bytes: &[u8]) -> Vec<u8> {
    // Exact: what growing leaves behind is not wiped.
    let mut out = Vec::with_capacity(bytes.len().saturating_add(AROUND_LEN));
    out.extend(REDO_MAGIC);
    out.extend(header.uuid);
    out.extend(header.generation.to_le_bytes());
    out.extend(offset.to_le_bytes());
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
    let crc = header.seed().crc(offset, &[&out]);
    out.extend(crc.to_le_bytes());
    out
}

/// The offset and the bytes, if they belong to the log with this header.
///
/// # Errors
/// A file that is not whole, or of another log.
pub fn decode<'a>(header: &FileHeader, log_len: u64, content: &'a [u8]) -> Result<(u64, &'a [u8]), DecodeError> {
    let mut input = Input::new(content);
    if input.array()? != REDO_MAGIC {
        return Err(DecodeError::Magic);
    }
    let uuid: [u8; 16] = input.array()?;
    let generation = input.u64()?;
    let offset = input.u64()?;
    let len = input.u64()?;
    let bytes = input.bytes(usize::try_from(len).unwrap_or(usize::MAX))?;
    let crc = input.u32()?;
    let covered = content.split_at_checked(content.len().saturating_sub(4)).map(|(covered, _)| covered);
    if !input.is_empty() || header.seed().crc(offset, &[covered.unwrap_or_default()]) != crc {
        return Err(DecodeError::Checksum { of: "redo file" });
    }
    if offset < FRAMES_AT || offset.saturating_add(len) > log_len {
        return Err(DecodeError::Invalid { rule: "redo file for a place outside the frames" });
    }
    if uuid != header.uuid || generation != header.generation {
        return Err(DecodeError::Invalid { rule: "redo file of another log" });
    }
    Ok((offset, bytes))
}
