//! What anybody can do who knows FORMAT.md and has no key: cut a log into frames and operations, arrange them anew, and make
//! every checksum, chain and number right again, and the tag that each frame says it follows.

use std::ops::Range;

use tokcask::format::Seed;
use tokcask::format::frame::{FRAME_HEADER_LEN, FrameHeader, Kind};
use tokcask::format::header::{COPY_LEN, FileHeader};

pub(crate) const FRAMES_AT: usize = 8192;
/// The tag before, and the frame's own.
const TRAILER_LEN: usize = 32;
const TAG_LEN: usize = 16;

pub(crate) fn frames(log: &[u8]) -> Vec<Range<usize>> {
    let seed = seed(log);
    let mut frames = Vec::new();
    let mut at = FRAMES_AT;
    while let Ok((frame, _)) = FrameHeader::decode(seed, at as u64, &log[at..]) {
        let end = at + usize::try_from(frame.frame_len()).unwrap();
        frames.push(at..end);
        at = end;
    }
    frames
}

pub(crate) fn seed(log: &[u8]) -> Seed {
    FileHeader::decode(&log[..COPY_LEN]).unwrap().0.seed()
}

pub(crate) fn kind(log: &[u8], frame: &Range<usize>) -> Kind {
    FrameHeader::decode(seed(log), frame.start as u64, &log[frame.clone()]).unwrap().0.kind
}

/// The operations of a frame.
pub(crate) fn operations(log: &[u8], frame: &Range<usize>) -> Vec<Range<usize>> {
    let mut operations = Vec::new();
    let mut at = frame.start + FRAME_HEADER_LEN;
    while at + 16 <= frame.end - TRAILER_LEN {
        let len = number(log, at + 4) as usize;
        let end = (at + 16 + len).next_multiple_of(8);
        if end > frame.end - TRAILER_LEN {
            break;
        }
        operations.push(at..end);
        at = end;
    }
    operations
}

fn number(log: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(log[at..at + 4].try_into().unwrap())
}

pub(crate) fn put(log: &mut [u8], at: usize, number: u32) {
    log[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

/// Makes every checksum and every chain right again for these frames.
pub(crate) fn mend(log: &mut [u8], frames: &[Range<usize>]) {
    let mut chain = 0;
    for copy in [0, COPY_LEN] {
        chain = crc32fast::hash(&log[copy..copy + COPY_LEN - 4]);
        put(log, copy + COPY_LEN - 4, chain);
    }
    let [generation, salt] = [56, 64].map(|at| u64::from_le_bytes(log[at..at + 8].try_into().unwrap()));
    let seed = Seed::new(salt, generation);
    for frame in frames {
        let at = frame.start;
        put(log, at + 12, chain);
        let mut covered = Vec::new();
        for operation in operations(log, frame) {
            let start = operation.start;
            let end = start + 16 + number(log, start + 4) as usize;
            let crc = seed.crc(start as u64, &[&log[start..start + 12], &log[start + 16..end]]);
            put(log, start + 12, crc);
            covered.extend(crc.to_le_bytes());
            covered.extend(&log[end..operation.end]);
        }
        covered.extend(&log[frame.end - TRAILER_LEN..frame.end]);
        let body = seed.crc(at as u64, &[&covered]);
        put(log, at + 56, body);
        chain = seed.crc(at as u64, &[&log[at..at + 60]]);
        put(log, at + 60, chain);
    }
}

/// Makes these frames follow each other: sequence numbers, watermarks, and the tag that each one but the first says it
/// follows; then every checksum.
pub(crate) fn chain(log: &mut [u8], frames: &[Range<usize>]) {
    for (frame, sequence) in frames.iter().zip(1_u64..) {
        let at = frame.start;
        log[at + 16..at + 24].copy_from_slice(&sequence.to_le_bytes());
        let watermark = u64::from_le_bytes(log[at + 24..at + 32].try_into().unwrap()).min(at as u64);
        log[at + 24..at + 32].copy_from_slice(&watermark.to_le_bytes());
    }
    for pair in frames.windows(2) {
        let tag_at = pair[0].end - TAG_LEN;
        log.copy_within(tag_at..pair[0].end, pair[1].end - TRAILER_LEN);
    }
    mend(log, frames);
}

/// These frames, one behind the other, with everything right that anybody can make right.
pub(crate) fn arranged(log: &[u8], frames: &[Range<usize>], order: &[usize]) -> Vec<u8> {
    let mut arranged = log[..FRAMES_AT].to_vec();
    let mut places = Vec::new();
    for frame in order.iter().map(|number| &frames[*number]) {
        places.push(arranged.len()..arranged.len() + frame.len());
        arranged.extend(&log[frame.clone()]);
    }
    arranged.resize(arranged.len().max(log.len()), 0);
    chain(&mut arranged, &places);
    arranged
}
