//! One frame: its header, its operations, their records.
//!
//! Input: a byte of switches; salt, generation and offset, eight bytes each; the frame. Nothing may panic, and what
//! decodes must encode to the same bytes, for there is only one way to write a frame.

use tokcask::format::frame::{FRAME_HEADER_LEN, FrameBuilder, FrameHeader, decode_body};
use tokcask::format::operation::{self, Operation};
use tokcask::format::{ALIGN, Seed, record};

use super::mend::{Mending, mend_frame};

pub(crate) const CHECKSUMS: u8 = 1;
pub(crate) const LENGTHS: u8 = 2;
/// Frames stand below this; beyond, decoding has only to be without panic.
const OFFSET_MAX: u64 = 1 << 48;

pub(crate) fn run(data: &[u8]) {
    let Some((switches, rest)) = data.split_first() else { return };
    let Some((numbers, frame)) = rest.split_first_chunk::<24>() else { return };
    let [salt, generation, offset] =
        std::array::from_fn(|place| u64::from_le_bytes(std::array::from_fn(|byte| numbers[8 * place + byte])));
    let seed = Seed::new(salt, generation);
    let mut frame = frame.to_vec();
    if switches & CHECKSUMS != 0 {
        let mending = Mending { lengths: switches & LENGTHS != 0, counters: false };
        mend_frame(seed, offset, &mut frame, None, mending);
    }
    check(seed, offset, &frame);
}

fn check(seed: Seed, offset: u64, frame: &[u8]) {
    let Ok((header, crc)) = FrameHeader::decode(seed, offset, frame) else { return };
    let len = usize::try_from(header.frame_len()).expect("a frame is at most 64 MiB long");
    let Some(frame) = frame.get(..len) else { return };
    let Ok(operations) = decode_body(seed, offset, &header, &frame[FRAME_HEADER_LEN..]) else { return };
    if offset > OFFSET_MAX {
        return;
    }
    let mut builder = FrameBuilder::new(seed, offset, frame.len());
    for located in &operations {
        let place = builder.push(&located.operation).expect("what decodes encodes");
        assert_eq!(place, (located.offset, located.len), "an operation is where it was");
        let start = located.distance as usize;
        let alone = operation::decode(seed, located.offset, &frame[start..]).expect("a find reads it by itself");
        assert_eq!((alone.len, alone.crc), (located.len, located.crc));
        if let Operation::Put(row) = &located.operation {
            assert!(record::checked_len(row).is_ok(), "a record that decodes could have been saved");
            assert!(located.len.is_multiple_of(ALIGN) && record::encoded_len(row) <= located.len);
        }
    }
    let (again, crc_again) = builder.finish(header);
    assert_eq!((again.as_slice(), crc_again), (frame, crc), "what decodes encodes to the same bytes");
}
