//! FORMAT.md, "File header".

use tokcask::format::header::{COPY_LEN, FileHeader, VERSION_FIELD};
use tokcask::format::{COUNTER_MAX, DecodeError, FRAME_LEN_MAX, KEY_LEN_MAX, RECORD_LEN_MAX};

use super::invalid;

const UUID: [u8; 16] = *b"fake-uuid-16-byt";

fn plain() -> FileHeader {
    FileHeader::plain(UUID, 3, 0x5A17, 1_700_000_000_000)
}

fn decoded(header: &FileHeader) -> Result<FileHeader, DecodeError> {
    FileHeader::decode(&header.encode().0).map(|(header, _)| header)
}

/// A copy with other bytes at `place`, and a checksum that is right again.
fn with_bytes(place: usize, bytes: &[u8]) -> Vec<u8> {
    let mut copy = plain().encode().0;
    copy[place..place + bytes.len()].copy_from_slice(bytes);
    let crc = crc32fast::hash(&copy[..COPY_LEN - 4]);
    copy[COPY_LEN - 4..].copy_from_slice(&crc.to_le_bytes());
    copy
}

fn refusal(copy: &[u8]) -> DecodeError {
    FileHeader::decode(copy).map(drop).expect_err("it breaks a rule")
}

#[test]
fn a_copy_reads_as_it_was_written() {
    let every_field = FileHeader {
        incompatible: 1,
        read_only_compatible: 2,
        compatible: 3,
        suite: 1,
        key_id: [4; 16],
        wrapped_key: [5; 72],
        key_commitment: [6; 32],
        record_len_max: 7,
        key_len_max: 8,
        frame_len_max: 9,
        ..plain()
    };
    for header in [plain(), every_field] {
        let (copy, crc) = header.encode();
        assert_eq!(copy.len(), COPY_LEN);
        assert_eq!(crc, crc32fast::hash(&copy[..COPY_LEN - 4]));
        assert_eq!(FileHeader::decode(&copy), Ok((header.clone(), crc)));
        assert_eq!(FileHeader::check_copy(&copy), Ok((&copy[..COPY_LEN - 4], crc)));
        // By FORMAT.md: the checksum of salt and generation, then offset and data.
        let by_hand = [&0x5A17_u64.to_le_bytes(), &3_u64.to_le_bytes(), &8_u64.to_le_bytes(), &b"data"[..]].concat();
        assert_eq!(header.seed().crc(8, &[b"da", b"ta"]), crc32fast::hash(&by_hand));
    }
}

#[test]
#[cfg_attr(miri, ignore = "megabytes are too much for an interpreter")]
fn a_copy_that_is_not_whole_is_refused() {
    let (copy, _) = plain().encode();
    for len in [0, 1, 8, COPY_LEN - 5, COPY_LEN - 4, COPY_LEN - 1] {
        assert!(matches!(refusal(&copy[..len]), DecodeError::Truncated { .. }), "{len} bytes");
    }
    for byte in 0..COPY_LEN {
        let mut damaged = copy.clone();
        damaged[byte] ^= 0x10;
        let reason = if byte < 8 { DecodeError::Magic } else { DecodeError::Checksum { of: "file header" } };
        assert_eq!(refusal(&damaged), reason, "byte {byte}");
    }
}

#[test]
fn what_has_to_be_zero_is_zero() {
    let reserved = DecodeError::NotZero { field: "reserved field of the file header" };
    for place in [10, 15, 74, 79, 212, 215] {
        assert_eq!(refusal(&with_bytes(place, &[1])), reserved, "{place}");
    }
    for place in [224, 2000, COPY_LEN - 5] {
        let reason = DecodeError::NotZero { field: "padding of the file header" };
        assert_eq!(refusal(&with_bytes(place, &[1])), reason, "{place}");
    }
    for place in [80, 95, 96, 167, 168, 199] {
        let reason = DecodeError::NotZero { field: "key of a plain file" };
        assert_eq!(refusal(&with_bytes(place, &[1])), reason, "{place}");
    }
}

#[test]
fn another_version_is_told_before_anything_else() {
    for version in [0, 2, u16::MAX] {
        let copy = with_bytes(8, &[&version.to_le_bytes()[..], &[1]].concat());
        assert_eq!(refusal(&copy), DecodeError::Unknown { field: VERSION_FIELD, value: version.into() });
    }
}

#[test]
fn generations_begin_at_one_and_end_at_the_limit() {
    assert_eq!(decoded(&FileHeader { generation: 0, ..plain() }).map(drop), Err(invalid("generation 0")));
    for generation in [1, COUNTER_MAX] {
        assert_eq!(decoded(&FileHeader { generation, ..plain() }).map(|header| header.generation), Ok(generation));
    }
    let value = COUNTER_MAX + 1;
    let reason = DecodeError::Unknown { field: "generation", value };
    assert_eq!(decoded(&FileHeader { generation: value, ..plain() }).map(drop), Err(reason));
}

#[test]
fn features_suites_and_limits_that_are_unknown_are_named() {
    let unknown = |field, value| Err(DecodeError::Unknown { field, value });
    assert_eq!((plain().check_readable(), plain().check_writable()), (Ok(()), Ok(())));
    let known_to_nobody = FileHeader { compatible: u64::MAX, ..plain() };
    assert_eq!(known_to_nobody.check_writable(), Ok(()));

    let to_read = FileHeader { read_only_compatible: 4, ..plain() };
    assert_eq!(to_read.check_readable(), Ok(()));
    assert_eq!(to_read.check_writable(), unknown("read-only compatible features", 4));

    let (record_len_max, key_len_max, frame_len_max) = (RECORD_LEN_MAX - 1, KEY_LEN_MAX + 1, FRAME_LEN_MAX * 2);
    let refused = [
        (FileHeader { incompatible: 8, ..plain() }, "incompatible features", 8),
        (FileHeader { suite: 2, ..plain() }, "cipher suite", 2),
        (FileHeader { record_len_max, ..plain() }, "record limit", record_len_max.into()),
        (FileHeader { key_len_max, ..plain() }, "key limit", key_len_max.into()),
        (FileHeader { frame_len_max, ..plain() }, "frame limit", frame_len_max.into()),
    ];
    for (header, field, value) in refused {
        assert_eq!(header.check_readable(), unknown(field, value));
        assert_eq!(header.check_writable(), unknown(field, value));
    }
}

#[test]
fn neither_salt_nor_key_is_in_what_debug_prints() {
    let printed = format!("{:?}", FileHeader { salt: 77_777, wrapped_key: [99; 72], ..plain() });
    assert!(printed.contains("generation: 3"), "{printed}");
    assert!(!printed.contains("77777") && !printed.contains("99"), "{printed}");
    assert_eq!(format!("{:?}", plain().seed()), "Seed(redacted)");
}
