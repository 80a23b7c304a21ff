//! FORMAT.md, "Operations".

use tokcask::format::operation::{self, OPERATION_HEADER_LEN, Operation, SEALED_LEN, operation_len, plausible_len};
use tokcask::format::{DecodeError, FRAME_LEN_MAX, RECORD_LEN_MAX, aligned};

use super::{AT, Fields, frame, header, invalid, put, seed};
use tokcask::format::frame::Kind;

/// First in its frame.
const PLACE: u64 = AT + 64;

/// An operation's bytes with a checksum that is right, and padding.
fn operation(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let fields = [kind, u32::try_from(content.len()).unwrap().to_le_bytes(), 64_u32.to_le_bytes()].concat();
    let crc = seed().crc(PLACE, &[&fields, content]);
    let mut bytes = [fields.as_slice(), &crc.to_le_bytes(), content].concat();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn refusal(bytes: &[u8]) -> DecodeError {
    operation::decode(seed(), PLACE, bytes).map(drop).expect_err("it breaks a rule")
}

#[test]
fn operations_read_as_they_were_written() {
    let record = Fields::of("7", 1).bytes();
    let all = [
        (1, put(&record), record.as_slice()),
        (2, Operation::Delete("ana"), b"ana"),
        (3, Operation::Clear, b""),
        (4, Operation::Sealed { rows: 9 }, &[9, 0, 0, 0, 0, 0, 0, 0]),
        (5, Operation::Recovered { cut_len: 300 }, &[44, 1, 0, 0, 0, 0, 0, 0]),
    ];
    for (kind, meant, content) in all {
        let by_hand = operation([kind, 0, 0, 0], content);
        let (written, _) = frame(header(Kind::Commit), std::slice::from_ref(&meant));
        assert_eq!(written[64..], by_hand, "{meant:?}");
        let behind = [by_hand.as_slice(), &[7; 9]].concat();
        let located = operation::decode(seed(), PLACE, &behind).unwrap();
        assert_eq!((located.offset, located.len, located.distance), (PLACE, by_hand.len() as u64, 64));
        assert_eq!(located.crc.to_le_bytes(), by_hand[12..16]);
        assert_eq!(located.padding.len(), by_hand.len() - OPERATION_HEADER_LEN - content.len());
        assert_eq!(format!("{:?}", located.operation), format!("{meant:?}"));
    }
    assert_eq!(operation([4, 0, 0, 0], &[0; 8]).len(), SEALED_LEN);
}

#[test]
fn no_bit_of_an_operation_can_change() {
    let bytes = operation([2, 0, 0, 0], b"ana");
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let reason = refusal(&damaged);
        if bit >= 8 * 19 {
            assert_eq!(reason, DecodeError::NotZero { field: "padding of an operation" }, "bit {bit}");
        } else if !(32..64).contains(&bit) {
            assert_eq!(reason, DecodeError::Checksum { of: "operation" }, "bit {bit}");
        }
    }
    for len in 0..bytes.len() {
        assert!(matches!(refusal(&bytes[..len]), DecodeError::Truncated { .. }), "{len} bytes");
    }
}

#[test]
fn contents_that_no_operation_has_are_refused() {
    for kind in [0, 6, 255] {
        let reason = DecodeError::Unknown { field: "operation kind", value: kind.into() };
        assert_eq!(refusal(&operation([kind, 0, 0, 0], b"")), reason);
    }
    for reserved in [[2, 1, 0, 0], [2, 0, 1, 0], [2, 0, 0, 1]] {
        let reason = DecodeError::NotZero { field: "reserved field of an operation" };
        assert_eq!(refusal(&operation(reserved, b"ana")), reason);
    }
    assert_eq!(refusal(&operation([2, 0, 0, 0], b"")), invalid("delete of an empty id"));
    assert_eq!(refusal(&operation([2, 0, 0, 0], b"\xFF")), invalid("id is not UTF-8"));
    for (kind, content) in [(3, &[0; 1][..]), (4, &[0; 9]), (5, &[0; 9])] {
        let reason = invalid("bytes left after an operation's content");
        assert_eq!(refusal(&operation([kind, 0, 0, 0], content)), reason);
    }
    for kind in [4, 5] {
        assert!(matches!(refusal(&operation([kind, 0, 0, 0], &[0; 7])), DecodeError::Truncated { .. }));
    }
}

#[test]
#[cfg_attr(miri, ignore = "megabytes are too much for an interpreter")]
fn content_may_be_as_long_as_the_limit() {
    let (max, limit) = (RECORD_LEN_MAX as usize, RECORD_LEN_MAX.into());
    let longest = operation([2, 0, 0, 0], &vec![b'x'; max]);
    assert_eq!(operation::decode(seed(), PLACE, &longest).unwrap().len, 16 + limit);
    let reason = DecodeError::TooLong { what: "operation", len: limit + 1, limit };
    assert_eq!(refusal(&operation([2, 0, 0, 0], &vec![b'x'; max + 1])), reason);

    let mut builder = tokcask::format::frame::FrameBuilder::new(seed(), AT, 0);
    assert_eq!(builder.push(&Operation::Delete(&"x".repeat(max + 1))), Err(reason));
    assert!(builder.is_empty());
    assert_eq!(builder.push(&Operation::Delete(&"x".repeat(max))), Ok((PLACE, 16 + limit)));
}

#[test]
fn lengths_are_padded_and_never_run_over() {
    assert_eq!([0, 1, 7, 8, 9].map(aligned), [0, 8, 8, 8, 16].map(Some));
    assert_eq!(aligned(u64::MAX), None);
    assert_eq!([0, 1, 8].map(operation_len), [16, 24, 24].map(Some));
    assert_eq!(operation_len(u64::MAX), None);
}

/// What salvage asks of every place of a log that lost its frames.
#[test]
fn a_place_is_plausible_only_if_a_frame_could_have_the_operation_there() {
    let plausible = |offset, kind: u32, len: u32, distance: u32| {
        plausible_len(offset, &[kind.to_le_bytes(), len.to_le_bytes(), distance.to_le_bytes(), [0; 4]].concat(), 0)
    };
    for kind in 1..=5 {
        assert_eq!(plausible(PLACE, kind, 3, 64), Some(24));
    }
    assert_eq!(plausible(PLACE, 0, 3, 64), None);
    assert_eq!(plausible(PLACE, 6, 3, 64), None);
    assert_eq!(plausible(PLACE, 1 << 8 | 1, 3, 64), None, "reserved bytes");
    assert_eq!(plausible(PLACE, 1, RECORD_LEN_MAX, 64), Some(16 + u64::from(RECORD_LEN_MAX)));
    assert_eq!(plausible(PLACE, 1, RECORD_LEN_MAX + 1, 64), None);
    let far = PLACE + u64::from(FRAME_LEN_MAX);
    assert_eq!(plausible(far, 1, 3, 56), None, "inside the frame's header");
    assert_eq!(plausible(far, 1, 3, 68), None, "not aligned");
    assert_eq!(plausible(far, 1, 3, FRAME_LEN_MAX - 8), Some(24));
    assert_eq!(plausible(far, 1, 3, FRAME_LEN_MAX), None, "behind any frame");
    assert_eq!(plausible(PLACE - 8, 1, 3, 64), None, "its frame would begin before all frames");
    assert_eq!(plausible_len(PLACE, &[1, 0, 0, 0, 3, 0, 0, 0, 64, 0, 0], 0), None, "too few bytes");
}
