//! FORMAT.md, "Frames": a frame by itself. What it has to follow is in `chain.rs`.

use tokcask::format::frame::{FRAME_HEADER_LEN, FrameBuilder, FrameHeader, Kind, decode_body};
use tokcask::format::operation::Operation;
use tokcask::format::{COUNTER_MAX, DecodeError, FRAME_LEN_MAX, Seed};

use super::{AT, Fields, frame, header, invalid, put, seed, with_bytes};

fn decoded(bytes: &[u8]) -> Result<FrameHeader, DecodeError> {
    FrameHeader::decode(seed(), AT, bytes).map(|(header, _)| header)
}

fn body(bytes: &[u8]) -> Result<usize, DecodeError> {
    let header = decoded(bytes)?;
    decode_body(seed(), AT, &header, &bytes[FRAME_HEADER_LEN..]).map(|operations| operations.len())
}

#[test]
fn a_header_reads_as_it_was_written_and_nowhere_else() {
    for kind in [Kind::Commit, Kind::Base, Kind::Seal, Kind::Recovered] {
        let (bytes, crc) = frame(header(kind), &[Operation::Clear]);
        let (read, read_crc) = FrameHeader::decode(seed(), AT, &bytes).unwrap();
        assert_eq!(read, FrameHeader { body_len: 16, body_crc: read.body_crc, ..header(kind) });
        assert_eq!((read_crc, read.frame_len()), (crc, bytes.len() as u64));
        assert_eq!(FrameHeader::seed(AT, &bytes), Some(seed()));
        let other_place = FrameHeader::decode(seed(), AT + 8, &bytes);
        assert_eq!(other_place, Err(DecodeError::Checksum { of: "frame header" }));
        let other_log = FrameHeader::decode(Seed::new(0x5A17, 4), AT, &bytes);
        assert_eq!(other_log, Err(DecodeError::Checksum { of: "frame header" }));
    }
}

#[test]
fn no_bit_of_a_header_can_change() {
    let (bytes, _) = frame(header(Kind::Commit), &[Operation::Clear]);
    for bit in 0..8 * FRAME_HEADER_LEN {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let reason = if bit < 32 { DecodeError::Magic } else { DecodeError::Checksum { of: "frame header" } };
        assert_eq!(decoded(&damaged), Err(reason), "bit {bit}");
    }
    for len in 0..FRAME_HEADER_LEN {
        assert!(matches!(decoded(&bytes[..len]), Err(DecodeError::Truncated { .. })), "{len} bytes");
        assert_eq!(FrameHeader::seed(AT, &bytes[..len]), None);
    }
    assert_eq!(FrameHeader::seed(AT, &[0; FRAME_HEADER_LEN]), None);
}

#[test]
fn unknown_kinds_and_reserved_bytes_are_refused() {
    let (bytes, _) = frame(header(Kind::Commit), &[Operation::Clear]);
    for kind in [0, 5, 255] {
        let reason = DecodeError::Unknown { field: "frame kind", value: kind.into() };
        assert_eq!(decoded(&with_bytes(&bytes, 4, &[kind])), Err(reason));
    }
    for place in 5..8 {
        let reason = DecodeError::NotZero { field: "reserved field of a frame" };
        assert_eq!(decoded(&with_bytes(&bytes, place, &[1])), Err(reason));
    }
}

#[test]
fn lengths_and_watermarks_are_aligned_and_in_bounds() {
    let (bytes, _) = frame(header(Kind::Commit), &[Operation::Clear]);
    let with_body_len = |len: u32| decoded(&with_bytes(&bytes, 8, &len.to_le_bytes()));
    let longest = FRAME_LEN_MAX - 64;
    assert_eq!(with_body_len(longest).map(|header| header.frame_len()), Ok(FRAME_LEN_MAX.into()));
    let (len, limit) = (u64::from(FRAME_LEN_MAX) + 8, FRAME_LEN_MAX.into());
    assert_eq!(with_body_len(longest + 8), Err(DecodeError::TooLong { what: "frame", len, limit }));
    let (len, limit) = (u64::from(u32::MAX) + 64, FRAME_LEN_MAX.into());
    assert_eq!(with_body_len(u32::MAX), Err(DecodeError::TooLong { what: "frame", len, limit }));
    let unaligned = Err(invalid("length or watermark not aligned"));
    assert_eq!(with_body_len(20), unaligned);

    let with_watermark = |watermark: u64| decoded(&with_bytes(&bytes, 24, &watermark.to_le_bytes()));
    assert_eq!(with_watermark(AT - 4), unaligned);
    assert_eq!(with_watermark(AT - 8).map(|header| header.watermark), Ok(AT - 8));
    let (expected, found) = (AT, AT + 8);
    assert_eq!(with_watermark(AT + 8), Err(DecodeError::Mismatch { field: "watermark", expected, found }));
}

#[test]
fn counters_end_at_their_limit() {
    let (bytes, _) = frame(header(Kind::Commit), &[Operation::Clear]);
    for (place, field) in [(16, "sequence number"), (40, "next id"), (48, "next revision")] {
        assert!(decoded(&with_bytes(&bytes, place, &COUNTER_MAX.to_le_bytes())).is_ok(), "{field}");
        let value = COUNTER_MAX + 1;
        let reason = DecodeError::Unknown { field, value };
        assert_eq!(decoded(&with_bytes(&bytes, place, &value.to_le_bytes())), Err(reason));
    }
}

#[test]
fn each_operation_has_its_kinds_of_frame() {
    use Kind::{Base, Commit, Recovered, Seal};
    let record = Fields::of("7", 1).bytes();
    let operations = [
        (put(&record), vec![Commit, Base]),
        (Operation::Delete("7"), vec![Commit]),
        (Operation::Clear, vec![Commit]),
        (Operation::Sealed { rows: 1 }, vec![Seal]),
        (Operation::Recovered { cut_len: 1 }, vec![Recovered]),
    ];
    for (operation, kinds) in &operations {
        for kind in [Commit, Base, Seal, Recovered] {
            let (bytes, _) = frame(header(kind), std::slice::from_ref(operation));
            let right =
                if kinds.contains(&kind) { Ok(1) } else { Err(invalid("operation in a frame of the wrong kind")) };
            assert_eq!(body(&bytes), right, "{operation:?} in {kind:?}");
        }
    }
}

#[test]
fn a_frame_has_an_operation_and_a_seal_or_a_note_has_no_more() {
    let wrong = Err(invalid("wrong number of operations for the frame kind"));
    for kind in [Kind::Commit, Kind::Base, Kind::Seal, Kind::Recovered] {
        assert_eq!(body(&frame(header(kind), &[]).0), wrong, "{kind:?} without any");
    }
    assert_eq!(
        body(&frame(header(Kind::Seal), &[Operation::Sealed { rows: 1 }, Operation::Sealed { rows: 1 }]).0),
        wrong
    );
    let note = Operation::Recovered { cut_len: 8 };
    assert_eq!(body(&frame(header(Kind::Recovered), &[note.clone(), note]).0), wrong);
    assert_eq!(body(&frame(header(Kind::Commit), &[Operation::Clear, Operation::Clear]).0), Ok(2));
}

#[test]
fn the_body_checksum_covers_every_operation_and_its_padding() {
    let operations = [Operation::Delete("7"), Operation::Clear];
    let (bytes, _) = frame(header(Kind::Commit), &operations);
    assert_eq!(body(&bytes), Ok(2));
    let crc = u32::from_le_bytes(bytes[56..60].try_into().unwrap());
    let reason = Err(DecodeError::Checksum { of: "frame body" });
    assert_eq!(body(&with_bytes(&bytes, 56, &(crc ^ 1).to_le_bytes())), reason);
    // The same operations at the same places, one of them another one with a checksum of its own.
    let (others, _) = frame(header(Kind::Commit), &[Operation::Delete("8"), Operation::Clear]);
    let mixed = [&bytes[..FRAME_HEADER_LEN], &others[FRAME_HEADER_LEN..]].concat();
    assert_eq!(body(&mixed), reason);
    // By FORMAT.md: the checksum field of each operation and its padding, as data at the frame's offset.
    let covered = [&bytes[76..80], &bytes[81..88], &bytes[100..104]].concat();
    assert_eq!(seed().crc(AT, &[&covered]), crc);
}

#[test]
fn an_operation_lies_where_it_says() {
    let (bytes, _) = frame(header(Kind::Commit), &[Operation::Clear, Operation::Clear]);
    let mut moved = bytes.clone();
    moved[80 + 8..80 + 12].copy_from_slice(&88_u32.to_le_bytes());
    let crc = seed().crc(AT + 80, &[&moved[80..92]]);
    moved[92..96].copy_from_slice(&crc.to_le_bytes());
    let reason = DecodeError::Mismatch { field: "distance to the frame", expected: 80, found: 88 };
    assert_eq!(body(&moved), Err(reason));
}

#[test]
#[cfg_attr(miri, ignore = "megabytes are too much for an interpreter")]
fn a_builder_tells_lengths_and_leaves_out_what_does_not_fit() {
    let mut builder = FrameBuilder::new(seed(), AT, 0);
    assert!(builder.is_empty());
    assert_eq!(builder.len(), 64);
    assert_eq!(builder.push(&Operation::Delete("7")), Ok((AT + 64, 24)));
    assert_eq!(builder.push(&Operation::Clear), Ok((AT + 88, 16)));
    assert!(!builder.is_empty());
    assert_eq!(builder.len(), 104);

    // Of these exactly 63 fit into what is left of a frame, and then something small.
    let content = "x".repeat((1 << 20) - 8);
    for _ in 0..63 {
        builder.push(&Operation::Delete(&content)).unwrap();
    }
    let len = builder.len();
    let tried = builder.push(&Operation::Delete(&content));
    let (sum, limit) = (len + (1 << 20) + 8, FRAME_LEN_MAX.into());
    assert_eq!(tried, Err(DecodeError::TooLong { what: "frame", len: sum, limit }));
    assert_eq!(builder.len(), len);
    let rest = usize::try_from(u64::from(FRAME_LEN_MAX) - len).unwrap();
    assert_eq!(builder.push(&Operation::Delete(&"x".repeat(rest - 16))), Ok((AT + len, rest as u64)), "to the limit");
    assert!(builder.push(&Operation::Clear).is_err());
    let (bytes, _) = builder.finish(header(Kind::Commit));
    assert_eq!(bytes.len() as u64, u64::from(FRAME_LEN_MAX));
    assert_eq!(body(&bytes), Ok(66));
}
