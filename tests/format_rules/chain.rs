//! FORMAT.md, "Frames": what a frame has to be where it follows another.

use tokcask::format::DecodeError;
use tokcask::format::frame::{FRAME_HEADER_LEN, FrameHeader, Kind, Link, decode_body};
use tokcask::format::operation::Operation;

use super::{AT, Fields, frame, header, invalid, put, seed};

/// Before a frame with `header(kind)`, which takes no revision.
fn before() -> Link {
    Link { chain: 0xC4A1, sequence: 6, watermark: AT, next_id: 20, next_revision: 30, sealed: true, tag: [0; 16] }
}

fn follow(link: Link, header: FrameHeader, operations: &[Operation<'_>]) -> Result<Link, DecodeError> {
    let (bytes, _) = frame(header, operations);
    let (header, crc) = FrameHeader::decode(seed(), AT, &bytes).unwrap();
    let operations = decode_body(seed(), AT, &header, &bytes[FRAME_HEADER_LEN..]).unwrap();
    let after = link.after(&header, crc, &operations)?;
    assert_eq!(after, Link::at(&header, crc));
    Ok(after)
}

fn mismatch<T>(field: &'static str, expected: u64, found: u64) -> Result<T, DecodeError> {
    Err(DecodeError::Mismatch { field, expected, found })
}

fn commit(next_revision: u64) -> FrameHeader {
    FrameHeader { next_revision, ..header(Kind::Commit) }
}

#[test]
fn a_frame_that_follows_carries_the_chain_on() {
    let (bytes, crc) = frame(commit(31), &[Operation::Clear]);
    assert_eq!(FrameHeader::decode(seed(), AT, &bytes).map(|(_, crc)| crc), Ok(crc));
    let after = follow(before(), commit(31), &[Operation::Clear]).unwrap();
    assert_eq!(after, Link { chain: crc, sequence: 7, next_revision: 31, ..before() });
    let first = Link::first(5);
    assert_eq!((first.chain, first.sequence, first.watermark), (5, 0, 0));
    assert_eq!((first.next_id, first.next_revision, first.sealed), (1, 1, false));
}

#[test]
fn what_contradicts_the_frame_before_is_named() {
    let clear = [Operation::Clear];
    let chain = Link { chain: 0xC4A2, ..before() };
    assert_eq!(follow(chain, commit(31), &clear), mismatch("chain", 0xC4A2, 0xC4A1));
    for sequence in [5, 7] {
        let link = Link { sequence, ..before() };
        assert_eq!(follow(link, commit(31), &clear), mismatch("sequence number", sequence + 1, 7));
    }
    let later = Link { watermark: AT + 8, ..before() };
    assert_eq!(follow(later, commit(31), &clear), mismatch("watermark", AT + 8, AT));
    assert!(follow(Link { watermark: AT - 8, ..before() }, commit(31), &clear).is_ok(), "it may rise");
    let given = Link { next_id: 21, ..before() };
    assert_eq!(follow(given, commit(31), &clear), mismatch("next id", 21, 20));
    assert!(follow(Link { next_id: 19, ..before() }, commit(31), &clear).is_ok(), "it may rise");
}

#[test]
fn a_commit_takes_one_revision_for_each_operation() {
    let (first, second) = (Fields::of("7", 30).bytes(), Fields::of("8", 32).bytes());
    let operations = [put(&first), Operation::Clear, put(&second)];
    assert!(follow(before(), commit(33), &operations).is_ok());
    for wrong in [32, 34] {
        assert_eq!(follow(before(), commit(wrong), &operations), mismatch("next revision", 33, wrong));
    }
    for wrong in [31, 33] {
        let second = Fields::of("8", wrong).bytes();
        let operations = [put(&first), Operation::Clear, put(&second)];
        assert_eq!(follow(before(), commit(33), &operations), mismatch("revision", 32, wrong));
    }
}

#[test]
fn rows_of_a_base_keep_revisions_below_the_counter() {
    let unsealed = Link { sealed: false, ..before() };
    let base = |next_revision| FrameHeader { next_revision, ..header(Kind::Base) };
    for (revision, right) in [(1, true), (29, true), (30, false), (31, false)] {
        let record = Fields::of("7", revision).bytes();
        let followed = follow(unsealed, base(30), &[put(&record)]);
        let expected = if right { followed.clone() } else { mismatch("revision", 30, revision) };
        assert_eq!(followed, expected);
        assert_eq!(followed.is_ok(), right);
    }
    let record = Fields::of("7", 30).bytes();
    assert!(follow(unsealed, base(31), &[put(&record)]).is_ok(), "the counter may rise");
    let record = Fields::of("7", 1).bytes();
    assert_eq!(follow(unsealed, base(29), &[put(&record)]), mismatch("next revision", 30, 29));
}

#[test]
fn no_row_has_an_id_that_is_still_to_be_given() {
    for (id, expected) in [("20", Some(21)), ("21", Some(22)), ("19", None), ("020", None), ("ana", None)] {
        let record = Fields::of(id, 30).bytes();
        let followed = follow(before(), commit(31), &[put(&record)]);
        match expected {
            Some(expected) => assert_eq!(followed, mismatch("next id", expected, 20), "{id}"),
            None => assert!(followed.is_ok(), "{id}"),
        }
    }
}

#[test]
fn bases_come_before_the_seal_and_the_rest_behind() {
    let wrong_side = Err(invalid("frame kind on the wrong side of the seal"));
    let unsealed = Link { sealed: false, ..before() };
    let record = Fields::of("7", 1).bytes();
    let base = [put(&record)];
    let seal = [Operation::Sealed { rows: 1 }];
    let note = [Operation::Recovered { cut_len: 8 }];
    assert_eq!(follow(before(), header(Kind::Base), &base), wrong_side);
    assert_eq!(follow(unsealed, commit(31), &[Operation::Clear]), wrong_side);
    assert_eq!(follow(unsealed, header(Kind::Recovered), &note), wrong_side);
    assert_eq!(follow(unsealed, header(Kind::Base), &base).map(|link| link.sealed), Ok(false));
    assert_eq!(follow(unsealed, header(Kind::Seal), &seal).map(|link| link.sealed), Ok(true));
    assert!(follow(before(), header(Kind::Seal), &seal).is_ok(), "a file may be sealed again");
    assert_eq!(follow(before(), header(Kind::Recovered), &note).map(|link| link.sealed), Ok(true));
    assert_eq!(follow(before(), commit(31), &[Operation::Clear]).map(|link| link.sealed), Ok(true));
}
