//! What lies behind the last good frame: zeros, a torn tail, or proof that more was durable.

use std::path::Path;

use crate::error::{Error, Result};
use crate::format::frame::{FRAME_HEADER_LEN, FRAME_MAGIC, FrameHeader};
use crate::format::{ALIGN, ALIGN_LEN, Seed};
use crate::storage::File;
use crate::wipe::Wiped;

const CHUNK_LEN: usize = 1 << 20;

/// What was found from an offset to the end of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    /// End of the last byte that is not zero; 0 if there is none.
    pub(crate) end: u64,
    /// The largest watermark of any valid frame header.
    pub(crate) watermark: u64,
    /// The largest id counter of any valid frame header.
    pub(crate) next_id: u64,
    /// The largest operation counter of any valid frame header.
    pub(crate) next_revision: u64,
}

/// Reads everything from `start` to `end`.
///
/// No cap on how far: the proof of corruption may be the very last frame.
pub(crate) fn examine(file: &dyn File, path: &Path, seed: Seed, start: u64, end: u64) -> Result<Tail> {
    let mut tail = Tail::default();
    walk(file, path, start, end, |offset, bytes| {
        if let Some(place) = bytes.iter().rposition(|byte| *byte != 0) {
            tail.end = tail.end.max(offset + place as u64 + 1);
        }
        headers(seed, offset, bytes, |_, header| {
            tail.watermark = tail.watermark.max(header.watermark);
            tail.next_id = tail.next_id.max(header.next_id);
            tail.next_revision = tail.next_revision.max(header.next_revision);
            true
        });
        true
    })?;
    Ok(tail)
}

/// The first valid frame header from `start` on, wherever it claims to belong.
pub(crate) fn next_header(
    file: &dyn File,
    path: &Path,
    seed: Seed,
    start: u64,
    end: u64,
) -> Result<Option<(u64, FrameHeader)>> {
    let mut found = None;
    walk(file, path, start, end, |offset, bytes| {
        headers(seed, offset, bytes, |at, header| {
            found = Some((at, header));
            false
        });
        found.is_none()
    })?;
    Ok(found)
}

/// Hands over pieces that are not all zero, until `f` says stop. Pieces overlap by nearly a frame header, so that each
/// header lies whole in one.
fn walk(file: &dyn File, path: &Path, start: u64, end: u64, mut f: impl FnMut(u64, &[u8]) -> bool) -> Result<()> {
    const OVERLAP: u64 = FRAME_HEADER_LEN as u64 - ALIGN;
    let mut buffer = Wiped::zeros(chunk_len(end.saturating_sub(start)));
    let mut offset = start;
    while offset < end {
        let wanted = chunk_len(end - offset);
        let space = &mut buffer[..wanted];
        let read = file.read_at(space, offset).map_err(|error| Error::io("read", path, error))?;
        let last = read < wanted || offset + read as u64 == end;
        let bytes = &buffer[..read];
        if !is_zero(bytes) && !f(offset, bytes) || last {
            return Ok(());
        }
        offset += read as u64 - OVERLAP;
    }
    Ok(())
}

fn chunk_len(len: u64) -> usize {
    usize::try_from(len).unwrap_or(CHUNK_LEN).min(CHUNK_LEN)
}

/// Tries every place in a piece where a header could start.
fn headers(seed: Seed, offset: u64, bytes: &[u8], mut f: impl FnMut(u64, FrameHeader) -> bool) {
    let whole = bytes.len().saturating_sub(FRAME_HEADER_LEN - 1);
    for place in (0..whole).step_by(ALIGN_LEN) {
        let header = &bytes[place..place + FRAME_HEADER_LEN];
        if header[..4] != FRAME_MAGIC.to_le_bytes() {
            continue;
        }
        let at = offset + place as u64;
        if let Ok((header, _)) = FrameHeader::decode(seed, at, header)
            && !f(at, header)
        {
            return;
        }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    const BLOCK: [u8; 256] = [0; 256];
    let blocks = bytes.chunks_exact(BLOCK.len());
    blocks.remainder().iter().all(|byte| *byte == 0) && bytes.chunks_exact(BLOCK.len()).all(|block| block == BLOCK)
}
