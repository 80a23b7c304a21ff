//! FORMAT.md, "`store.lock`" (its slots) and "`store.redo`"; and the seed that a log without a header is read by.

use tokcask::format::header::{FRAMES_AT, FileHeader};
use tokcask::format::slot::{SLOT_LEN, Slot};
use tokcask::format::{COUNTER_MAX, DecodeError, Seed, redo};

use super::invalid;

const UUID: [u8; 16] = *b"fake-uuid-16-byt";

fn slot() -> Slot {
    Slot { uuid: UUID, generation: 3, watermark: 8200, next_id: 5, next_revision: 6 }
}

fn header() -> FileHeader {
    FileHeader::plain(UUID, 3, 0x5A17, 0)
}

/// Of a log that is as long as this.
const LOG_LEN: u64 = FRAMES_AT + 100;

fn refusal(content: &[u8]) -> DecodeError {
    redo::decode(&header(), LOG_LEN, content).map(drop).expect_err("it breaks a rule")
}

#[test]
fn a_slot_reads_as_it_was_written_and_no_bit_can_change() {
    let bytes = slot().encode();
    assert_eq!(Slot::decode(&bytes), Ok(slot()));
    let reason = Err(DecodeError::Checksum { of: "watermark slot" });
    for bit in 0..8 * SLOT_LEN {
        let mut damaged = bytes;
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Slot::decode(&damaged), reason, "bit {bit}");
    }
    assert_eq!(Slot::decode(&[0; SLOT_LEN]), reason, "never written");
}

#[test]
fn a_slot_has_an_aligned_watermark_and_counters_within_the_limit() {
    let decoded = |slot: Slot| Slot::decode(&slot.encode());
    assert_eq!(decoded(Slot { watermark: 8204, ..slot() }), Err(invalid("watermark not aligned")));
    let max = COUNTER_MAX;
    let highest = Slot { generation: max, next_id: max, next_revision: max, ..slot() };
    assert_eq!(decoded(highest), Ok(highest));
    let value = max + 1;
    let over = [
        (Slot { generation: value, ..slot() }, "generation"),
        (Slot { next_id: value, ..slot() }, "next id"),
        (Slot { next_revision: value, ..slot() }, "next revision"),
    ];
    for (slot, field) in over {
        assert_eq!(decoded(slot), Err(DecodeError::Unknown { field, value }));
    }
}

#[test]
fn a_redo_file_is_whole_or_refused() {
    let content = redo::encode(&header(), FRAMES_AT, b"sixteen bytes...");
    assert_eq!(redo::decode(&header(), LOG_LEN, &content), Ok((FRAMES_AT, &b"sixteen bytes..."[..])));
    for byte in 0..content.len() {
        let mut damaged = content.clone();
        damaged[byte] ^= 0x40;
        assert!(redo::decode(&header(), LOG_LEN, &damaged).is_err(), "byte {byte}");
    }
    for len in 0..content.len() {
        assert!(matches!(refusal(&content[..len]), DecodeError::Truncated { .. }), "{len} bytes");
    }
    let checksum = DecodeError::Checksum { of: "redo file" };
    assert_eq!(refusal(&[content.as_slice(), &[0]].concat()), checksum, "a byte left over");
    assert_eq!(refusal(&[b"\x89XKR\r\n\x1a\n", &content[8..]].concat()), DecodeError::Magic);
}

#[test]
fn a_redo_file_is_for_a_place_among_the_frames() {
    let outside = invalid("redo file for a place outside the frames");
    let to_the_end = redo::encode(&header(), LOG_LEN - 16, &[1; 16]);
    assert!(redo::decode(&header(), LOG_LEN, &to_the_end).is_ok());
    assert_eq!(refusal(&redo::encode(&header(), LOG_LEN - 15, &[1; 16])), outside);
    assert_eq!(refusal(&redo::encode(&header(), FRAMES_AT - 1, &[1; 16])), outside);
    assert_eq!(refusal(&redo::encode(&header(), u64::MAX, &[1; 16])), outside);
}

#[test]
fn a_redo_file_is_of_this_log() {
    let another = invalid("redo file of another log");
    let store = FileHeader { uuid: *b"another-uuid-16b", ..header() };
    assert_eq!(refusal(&redo::encode(&store, FRAMES_AT, b"1")), another);
    // With this log's seed, so that only the field tells.
    let mut content = redo::encode(&header(), FRAMES_AT, b"1");
    content[24] = 4;
    let covered = content.len() - 4;
    let crc = header().seed().crc(FRAMES_AT, &[&content[..covered]]);
    content[covered..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(refusal(&content), another);
    let generation = FileHeader { generation: 4, ..header() };
    let checksum = DecodeError::Checksum { of: "redo file" };
    assert_eq!(refusal(&redo::encode(&generation, FRAMES_AT, b"1")), checksum);
}

#[test]
fn a_checksum_gives_the_seed_away_to_whoever_has_the_bytes() {
    for (salt, data) in [(0, &b""[..]), (1, b"1"), (0x5A17, b"some more bytes"), (u64::MAX, &[0xFF; 300])] {
        let seed = Seed::new(salt, 9);
        assert_eq!(Seed::of(FRAMES_AT, data, seed.crc(FRAMES_AT, &[data])), seed);
        assert_ne!(Seed::of(FRAMES_AT, data, seed.crc(FRAMES_AT, &[data]) ^ 1), seed);
    }
}
