//! Every rule of FORMAT.md that a reader checks: bytes that break it alone are refused by its name, bytes at the limit are
//! not.
//!
//! Method: what is tried is laid out here field by field, with checksums that are right, so that nothing else can be what
//! was refused. The fuzz targets find panics; these tests find a check that is not there.

mod chain;
mod file_header;
mod frames;
mod operations;
mod records;
mod small_files;

use tokcask::format::frame::{FRAME_HEADER_LEN, FrameBuilder, FrameHeader, Kind};
use tokcask::format::header::FRAMES_AT;
use tokcask::format::operation::Operation;
use tokcask::format::{DecodeError, Seed, record};

/// Where the frames of these tests stand.
const AT: u64 = FRAMES_AT;

fn seed() -> Seed {
    Seed::new(0x5A17, 3)
}

fn invalid(rule: &'static str) -> DecodeError {
    DecodeError::Invalid { rule }
}

/// A header with nothing special in it: `FrameBuilder` fills in what belongs to the body.
fn header(kind: Kind) -> FrameHeader {
    FrameHeader {
        kind,
        body_len: 0,
        chain: 0xC4A1,
        sequence: 7,
        watermark: AT,
        time_ms: 1_700_000_000_000,
        next_id: 20,
        next_revision: 30,
        body_crc: 0,
    }
}

/// A whole frame at `AT`, and its header's checksum.
fn frame(header: FrameHeader, operations: &[Operation<'_>]) -> (Vec<u8>, u32) {
    let mut builder = FrameBuilder::new(seed(), AT, 0);
    for operation in operations {
        builder.push(operation).expect("it is small");
    }
    builder.finish(header)
}

/// The frame's bytes with others at `place`, and a header checksum that is right again.
fn with_bytes(frame: &[u8], place: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[place..place + bytes.len()].copy_from_slice(bytes);
    let crc = seed().crc(AT, &[&frame[..FRAME_HEADER_LEN - 4]]);
    frame[FRAME_HEADER_LEN - 4..FRAME_HEADER_LEN].copy_from_slice(&crc.to_le_bytes());
    frame
}

/// A record by its fields, whatever they say.
#[derive(Clone)]
struct Fields {
    revision: u64,
    created_ms: u64,
    updated_ms: u64,
    columns: [u64; 10],
    extra: Vec<(u64, u64)>,
    text: Vec<u8>,
}

impl Fields {
    /// A row with this id and nothing else.
    fn of(id: &str, revision: u64) -> Self {
        let mut columns = [0; 10];
        columns[0] = id.len() as u64;
        Self { revision, created_ms: 1, updated_ms: 2, columns, extra: Vec::new(), text: id.into() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let numbers = [self.revision, self.created_ms, self.updated_ms].into_iter().chain(self.columns);
        let extra = self.extra.iter().flat_map(|(key, value)| [*key, *value]);
        for number in numbers.chain([self.extra.len() as u64]).chain(extra).chain([self.text.len() as u64]) {
            out.extend(varint(number));
        }
        out.extend(&self.text);
        out
    }
}

fn varint(number: u64) -> Vec<u8> {
    let all = number.to_le_bytes();
    match number {
        0..=250 => all[..1].to_vec(),
        251..=0xFFFF => [&[0xFB], &all[..2]].concat(),
        0x1_0000..=0xFFFF_FFFF => [&[0xFC], &all[..4]].concat(),
        _ => [&[0xFD], &all[..]].concat(),
    }
}

fn put(record: &[u8]) -> Operation<'_> {
    Operation::Put(record::decode(record).expect("a good record"))
}
