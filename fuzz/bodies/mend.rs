//! Putting checksums right over bytes that a fuzzer changed: without that, nothing behind a checksum is ever reached.
//!
//! FORMAT.md, "File header", "Frames", "Operations". Knows the layout by itself, for the crate's encoder makes only what
//! is good.

use tokcask::format::frame::{FRAME_HEADER_LEN, FRAME_MAGIC, FrameHeader, Link};
use tokcask::format::header::COPY_LEN;
use tokcask::format::operation::OPERATION_HEADER_LEN;
use tokcask::format::{ALIGN, Seed};

const COPY_CRC_AT: usize = COPY_LEN - 4;

const KIND_AT: usize = 4;
const BODY_LEN_AT: usize = 8;
const CHAIN_AT: usize = 12;
const SEQUENCE_AT: usize = 16;
const WATERMARK_AT: usize = 24;
const NEXT_ID_AT: usize = 40;
const NEXT_REVISION_AT: usize = 48;
const BODY_CRC_AT: usize = 56;
const HEADER_CRC_AT: usize = 60;

const CONTENT_LEN_AT: usize = 4;
const DISTANCE_AT: usize = 8;
const OPERATION_CRC_AT: usize = 12;

const COMMIT: u8 = 1;
const PUT: u8 = 1;
/// A varint up to here is one byte.
const SHORT_MAX: u64 = 250;

/// What is put right besides checksums.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mending {
    /// The magic, distances, and lengths that lead out of the input.
    pub(crate) lengths: bool,
    /// What has to follow from the frame before.
    pub(crate) counters: bool,
}

/// Mends one copy of the file header.
pub(crate) fn mend_copy(copy: &mut [u8]) {
    let crc = crc32fast::hash(&copy[..COPY_CRC_AT]);
    put(copy, COPY_CRC_AT, crc.to_le_bytes());
}

/// Mends the first `frames` frames of a log, whose first byte in `bytes` has the offset `at`; returns where the last of
/// them ends.
pub(crate) fn mend_log(seed: Seed, at: u64, bytes: &mut [u8], first: Link, frames: usize, mending: Mending) -> u64 {
    let mut link = first;
    let mut start = 0;
    for _ in 0..frames {
        let (offset, rest) = (at + start as u64, &mut bytes[start..]);
        let Some(len) = mend_frame(seed, offset, rest, Some(link), mending) else { break };
        let Ok((header, crc)) = FrameHeader::decode(seed, offset, rest) else { break };
        link = Link::at(&header, crc);
        start += len;
    }
    at + start as u64
}

/// Mends the frame at the start of `bytes`, which stands at `offset`; returns its length, if it ends in `bytes`.
pub(crate) fn mend_frame(
    seed: Seed,
    offset: u64,
    bytes: &mut [u8],
    after: Option<Link>,
    mending: Mending,
) -> Option<usize> {
    let room = bytes.len().checked_sub(FRAME_HEADER_LEN)?;
    let claimed = usize::try_from(u32_at(bytes, BODY_LEN_AT)).ok()?;
    let (header, body) = bytes.split_at_mut(FRAME_HEADER_LEN);
    let body = &mut body[..claimed.min(room)];
    let counted = after.filter(|_| mending.counters);
    let mended = mend_body(seed, offset, body, counted.map(|link| link.next_revision), mending.lengths);
    let body_len = if mending.lengths { mended.len } else { claimed };
    if mending.lengths {
        put(header, 0, FRAME_MAGIC.to_le_bytes());
        put(header, BODY_LEN_AT, u32::try_from(body_len).ok()?.to_le_bytes());
    }
    if let Some(link) = after {
        put(header, CHAIN_AT, link.chain.to_le_bytes());
    }
    if let Some(link) = counted {
        let watermark = (u64_at(header, WATERMARK_AT) / ALIGN * ALIGN).clamp(link.watermark, offset);
        let taken = if header[KIND_AT] == COMMIT { mended.operations } else { 0 };
        put(header, SEQUENCE_AT, (link.sequence + 1).to_le_bytes());
        put(header, WATERMARK_AT, watermark.to_le_bytes());
        put(header, NEXT_ID_AT, u64_at(header, NEXT_ID_AT).max(link.next_id).to_le_bytes());
        put(header, NEXT_REVISION_AT, (link.next_revision + taken).to_le_bytes());
    }
    put(header, BODY_CRC_AT, seed.crc(offset, &[&mended.covered]).to_le_bytes());
    put(header, HEADER_CRC_AT, seed.crc(offset, &[&header[..HEADER_CRC_AT]]).to_le_bytes());
    (body_len <= room).then_some(FRAME_HEADER_LEN + body_len)
}

struct Mended {
    /// Up to the end of the last operation that is whole.
    len: usize,
    operations: u64,
    /// What the body's checksum covers.
    covered: Vec<u8>,
}

fn mend_body(seed: Seed, frame_at: u64, body: &mut [u8], revision: Option<u64>, lengths: bool) -> Mended {
    let mut mended = Mended { len: 0, operations: 0, covered: Vec::new() };
    loop {
        let distance = FRAME_HEADER_LEN + mended.len;
        let rest = &mut body[mended.len..];
        let Some(room) = rest.len().checked_sub(OPERATION_HEADER_LEN) else { return mended };
        let claimed = usize::try_from(u32_at(rest, CONTENT_LEN_AT)).unwrap_or(usize::MAX);
        if claimed > room && !lengths {
            return mended;
        }
        let content_len = claimed.min(room);
        let (operation, after) = rest.split_at_mut(OPERATION_HEADER_LEN + content_len);
        let padding = operation.len().next_multiple_of(8) - operation.len();
        let Some(padding) = after.get(..padding) else { return mended };
        if lengths {
            put(operation, CONTENT_LEN_AT, u32::try_from(content_len).unwrap_or(u32::MAX).to_le_bytes());
            put(operation, DISTANCE_AT, u32::try_from(distance).unwrap_or(u32::MAX).to_le_bytes());
        }
        let revision = revision.map(|first| first + mended.operations).filter(|revision| *revision <= SHORT_MAX);
        let (kind, first) = (operation[0], operation.get_mut(OPERATION_HEADER_LEN));
        if let (PUT, Some(first), Some(revision)) = (kind, first, revision) {
            *first = u8::try_from(revision).unwrap_or(u8::MAX);
        }
        let (header, content) = operation.split_at(OPERATION_HEADER_LEN);
        let crc =
            seed.crc(frame_at.saturating_add(distance as u64), &[&header[..OPERATION_CRC_AT], content]).to_le_bytes();
        put(operation, OPERATION_CRC_AT, crc);
        mended.covered.extend(crc);
        mended.covered.extend(padding);
        mended.operations += 1;
        mended.len += operation.len() + padding.len();
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]))
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}
