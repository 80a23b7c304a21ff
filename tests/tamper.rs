//! Whoever can write to the files of an encrypted store and has no key can put no frame, no operation and no header there
//! that counts: neither changed, nor moved, repeated, left out, of another time, or of another store.
//!
//! Method: a small store with every kind of frame. Each change is made to its log, and then every checksum is made right
//! again, as anybody can do who knows FORMAT.md (`forger`). The store must then not open, and say so; nor may a handle that was
//! open before, and copies what it reads, find anything but what was saved there. The lock file stays: what a cut end looks
//! like without it is shown last.

#[path = "tamper/beside.rs"]
mod beside;
#[path = "tamper/forger.rs"]
mod forger;
mod sim;
#[path = "tamper/victim.rs"]
mod victim;

use std::path::Path;
use std::sync::Arc;

use forger::{FRAMES_AT, arranged, chain, frames, kind, mend, operations, put};
use sim::Sim;
use tokcask::format::frame::Kind;
use tokcask::format::header::COPY_LEN;
use tokcask::storage::Storage;
use tokcask::{
    DecodeError, EncryptionKey, Error, ErrorKind, Options, ReadMode, TokenStore, VerifyStatus, open_on, salvage_on,
};
use victim::{Canonical, KEY, STORE, canonical, canonical_on, check_live, content, open, options, refused, token};

#[test]
fn every_bit_counts_with_and_without_its_checksums() {
    let canonical = canonical();
    let end = canonical.frames.last().unwrap().end;
    let header_bits = (0..224).chain(4092..4096);
    let bytes = header_bits.chain(FRAMES_AT..end).collect::<Vec<_>>();
    let mut forged = 0;
    for byte in bytes {
        for bit in 0..8 {
            for mended in ["nothing", "checksums", "all that follows"] {
                let mut log = canonical.log.clone();
                log[byte] ^= 1 << bit;
                if byte < COPY_LEN {
                    log[byte + COPY_LEN] ^= 1 << bit;
                }
                match mended {
                    "checksums" => mend(&mut log, &canonical.frames),
                    "all that follows" => chain(&mut log, &canonical.frames),
                    _ => {}
                }
                if log == canonical.log {
                    // A checksum, which was mended, or a number.
                    continue;
                }
                refused(&canonical, &log, &format!("bit {bit} of byte {byte}, mended: {mended}"));
                forged += 1;
            }
        }
    }
    assert!(forged > 10_000, "{forged}");
}

#[test]
fn no_frame_is_swapped_left_out_or_repeated() {
    let canonical = canonical();
    let Canonical { log, frames, .. } = &canonical;
    for first in 0..frames.len() {
        for second in 0..frames.len() {
            if first == second {
                continue;
            }
            // In another order, or one of them twice.
            for repeated in [false, true] {
                let order: Vec<_> = (0..frames.len())
                    .map(|place| match place {
                        _ if place == first => second,
                        _ if place == second && !repeated => first,
                        _ => place,
                    })
                    .collect();
                let what = format!("frames {order:?}");
                refused(&canonical, &arranged(log, frames, &order), &what);
            }
        }
        if first + 1 < frames.len() {
            let order: Vec<_> = (0..frames.len()).filter(|place| *place != first).collect();
            refused(&canonical, &arranged(log, frames, &order), &format!("frame {first} left out"));
        }
    }
}

#[test]
fn no_operation_is_swapped_left_out_or_of_another_frame() {
    let canonical = canonical();
    let Canonical { log, frames, .. } = &canonical;
    let operations: Vec<_> = frames.iter().flat_map(|frame| operations(log, frame)).collect();
    let mut tried = 0;
    for first in &operations {
        for second in operations.iter().filter(|second| *second != first && second.len() == first.len()) {
            let mut swapped = log.clone();
            swapped[first.clone()].copy_from_slice(&log[second.clone()]);
            swapped[second.clone()].copy_from_slice(&log[first.clone()]);
            for place in [first, second] {
                // The distance, which anybody can put right.
                let frame = frames.iter().find(|frame| frame.contains(&place.start)).unwrap();
                put(&mut swapped, place.start + 8, u32::try_from(place.start - frame.start).unwrap());
            }
            mend(&mut swapped, frames);
            refused(&canonical, &swapped, &format!("operations at {} and {}", first.start, second.start));
            // And through a handle that was open before: the row that was asked for, or an error.
            check_live(&canonical, &swapped);
            tried += 1;
        }
    }
    assert!(tried > 10, "{tried}");
}

/// Two copies of a store that have gone on, each by itself, with as many operations of the same lengths. What was written at
/// the same place by the same key belongs to one of them.
#[test]
fn no_operation_of_another_copy_of_the_store_counts() {
    let origin = Sim::new();
    open(&origin).unwrap().save_token(&token(1)).unwrap();
    let go_on = |random: usize, users: [usize; 4]| {
        let sim = origin.kill();
        sim.random(&mut vec![0; random]).unwrap(); // the copies are not on one machine
        let store = open(&sim).unwrap();
        store.save_tokens(&users[..2].iter().map(|user| token(*user)).collect::<Vec<_>>()).unwrap();
        for user in &users[2..] {
            store.save_token(&token(*user)).unwrap();
        }
        let rows = store.get_tokens().unwrap();
        drop(store);
        let log = content(&sim);
        Canonical { sim, older: Vec::new(), frames: frames(&log), log, rows }
    };
    let (ours, theirs) = (go_on(0, [2, 3, 4, 5]), go_on(1, [6, 7, 8, 9]));
    assert_eq!(ours.frames, theirs.frames);
    let mut tried = 0;
    for frame in ours.frames.iter().filter(|frame| ours.log[(*frame).clone()] != theirs.log[(*frame).clone()]) {
        for operation in operations(&ours.log, frame) {
            let mut log = ours.log.clone();
            log[operation.clone()].copy_from_slice(&theirs.log[operation.clone()]);
            mend(&mut log, &ours.frames);
            refused(&ours, &log, &format!("the operation at {} from the other copy", operation.start));
            tried += 1;
        }
        // Behind frames that are not its own; the first is what FORMAT.md, section 10, says of two copies.
        if *frame != ours.frames[2] {
            let mut log = ours.log.clone();
            log[frame.clone()].copy_from_slice(&theirs.log[frame.clone()]);
            chain(&mut log, &ours.frames);
            refused(&ours, &log, &format!("the frame at {} from the other copy", frame.start));
        }
    }
    assert_eq!(tried, 4);
}

/// A checksum can be kept as it is by changing bytes so that they differ by a multiple of its polynomial.
#[test]
fn a_header_that_is_changed_under_the_same_checksum_is_told() {
    const CREATED_AT: usize = 216;
    let canonical = canonical();
    let mut log = canonical.log.clone();
    for copy in [0, COPY_LEN] {
        let created = &mut log[copy + CREATED_AT..copy + CREATED_AT + 8];
        let changed = u64::from_le_bytes(created.try_into().unwrap()) ^ 0x1_DB71_0641;
        created.copy_from_slice(&changed.to_le_bytes());
    }
    let mut mended = log.clone();
    mend(&mut mended, &canonical.frames);
    assert_eq!(log, mended, "the checksums are right as they are");
    refused(&canonical, &log, "the header says another time");
}

#[test]
fn a_commitment_that_is_not_the_keys_is_told_at_the_header() {
    let canonical = canonical();
    let mut log = canonical.log.clone();
    for copy in [0, COPY_LEN] {
        log[copy + 168] ^= 1;
    }
    mend(&mut log, &canonical.frames);
    match open(&canonical.sim.with_log(Path::new(STORE), &log, true)) {
        Err(Error::Corrupt { offset: 0, reason: DecodeError::Forged { what: "file header" }, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_frame_of_an_earlier_generation_or_of_another_store_counts() {
    let canonical = canonical();
    // With the same rows, and by the same key.
    let twin = canonical_on(Sim::with_seed(2));
    for (name, other) in [("earlier generation", &canonical.older), ("another store", &twin.log)] {
        let theirs = frames(other);
        let ours = &canonical.frames;
        let mut tried = 0;
        for (number, place) in ours.iter().enumerate() {
            for frame in theirs.iter().filter(|frame| frame.len() == place.len()) {
                let mut log = canonical.log.clone();
                log[place.clone()].copy_from_slice(&other[frame.clone()]);
                chain(&mut log, ours);
                refused(&canonical, &log, &format!("frame {number} from {name}"));
                tried += 1;
            }
        }
        assert!(tried > 0, "{name}");
        // All of them, behind our header.
        let mut log = canonical.log[..FRAMES_AT].to_vec();
        log.extend(&other[FRAMES_AT..]);
        log.resize(log.len().max(canonical.log.len()), 0);
        mend(&mut log, &theirs);
        refused(&canonical, &log, &format!("all frames from {name}"));
        // And their header before our frames.
        let mut log = canonical.log.clone();
        log[..FRAMES_AT].copy_from_slice(&other[..FRAMES_AT]);
        mend(&mut log, ours);
        refused(&canonical, &log, &format!("the header from {name}"));
        // The whole log, which the lock file contradicts.
        refused(&canonical, other, &format!("the log from {name}"));
    }
}

#[test]
fn a_seal_or_a_recovered_frame_that_somebody_made_is_told() {
    let canonical = canonical();
    let Canonical { log, frames, .. } = &canonical;
    for like in [Kind::Seal, Kind::Recovered] {
        let model = frames.iter().find(|frame| kind(log, frame) == like).unwrap();
        let mut forged = log.clone();
        let end = frames.last().unwrap().end;
        forged.resize(end + model.len() + 64, 0);
        let bytes = forged[model.clone()].to_vec();
        forged[end..end + model.len()].copy_from_slice(&bytes);
        // Counters, sequence number and watermark that follow.
        let last = frames.last().unwrap().start;
        let counters = forged[last + 40..last + 56].to_vec();
        forged[end + 40..end + 56].copy_from_slice(&counters);
        let mut all = frames.clone();
        all.push(end..end + model.len());
        forged[end + 24..end + 32].copy_from_slice(&(end as u64).to_le_bytes());
        chain(&mut forged, &all);
        assert_eq!(refused(&canonical, &forged, "a frame at the end"), ErrorKind::Corrupt);
    }
}

#[test]
fn a_forged_frame_is_told_also_by_who_only_looks() {
    let canonical = canonical();
    let frame = canonical.frames.last().unwrap();
    let mut log = canonical.log.clone();
    log[frame.end - 1] ^= 1;
    mend(&mut log, &canonical.frames);
    for slots in [true, false] {
        let sim = canonical.sim.with_log(Path::new(STORE), &log, slots);
        match open(&sim) {
            Err(Error::Corrupt { offset, reason: DecodeError::Forged { what: "frame" }, .. }) => {
                assert_eq!(offset, frame.start as u64);
            }
            other => panic!("{other:?}"),
        }
        let saved = salvage_on(&options(&KEY), &sim, Path::new(STORE), Path::new("/rescued")).unwrap();
        assert!(!saved.lost.is_empty() || saved.torn_tail.is_some(), "{saved:?}");
    }
}

#[test]
fn a_key_that_is_another_one_opens_nothing_and_neither_does_none() {
    let canonical = canonical();
    let other = EncryptionKey::generate().unwrap();
    let storage = || Arc::new(canonical.sim.kill());
    let wrong = open_on(&options(&other), storage(), Path::new(STORE)).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::WrongKey);
    let none = Options::new().background(false).read_mode(ReadMode::Copy);
    assert_eq!(open_on(&none, storage(), Path::new(STORE)).unwrap_err().kind(), ErrorKind::WrongKey);
    let plain = Sim::new();
    open_on(&none, Arc::new(plain.clone()), Path::new(STORE)).unwrap().close().unwrap();
    let encrypted = open_on(&options(&KEY), Arc::new(plain), Path::new(STORE)).unwrap_err();
    assert_eq!(encrypted.kind(), ErrorKind::NotEncrypted);
}

#[test]
fn a_cut_end_is_told_as_long_as_the_lock_file_knows_of_it() {
    let canonical = canonical();
    let Canonical { log, frames, .. } = &canonical;
    let last = frames.last().unwrap();
    let mut cut = log.clone();
    cut[last.clone()].fill(0);
    assert_eq!(refused(&canonical, &cut, "the last frame is zeros"), ErrorKind::Corrupt);
    // Without any anchor it is a store as it was before: FORMAT.md, section 10, says so.
    let sim = canonical.sim.with_log(Path::new(STORE), &cut, false);
    let store = open(&sim).unwrap();
    assert_eq!(store.verify().unwrap().status, VerifyStatus::Clean);
}
