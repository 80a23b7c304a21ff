//! Whoever can write to the files of an encrypted store and has no key can put no frame, no operation and no header there
//! that counts: neither changed, nor moved, repeated, left out, of another time, or of another store.
//!
//! Method: a small store with every kind of frame. Each change is made to its log, and then every checksum is made right
//! again, as anybody can do who knows FORMAT.md. The store must then not open, and say so; nor may a handle that was open
//! before, and copies what it reads, find anything but what was saved there. The lock file stays: what a cut end looks like
//! without it is shown last.

mod sim;

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use sim::Sim;
use tokcask::format::Seed;
use tokcask::format::frame::{FRAME_HEADER_LEN, FrameHeader, Kind};
use tokcask::format::header::{COPY_LEN, FileHeader};
use tokcask::{
    DecodeError, EncryptionKey, Error, ErrorKind, LogStore, Options, ReadMode, Result, Token, TokenStore, VerifyStatus,
    open_on, salvage_on,
};

const STORE: &str = "/store";
const FRAMES_AT: usize = 8192;
/// The tag before, and the frame's own.
const TRAILER_LEN: usize = 32;
static KEY: LazyLock<EncryptionKey> = LazyLock::new(|| EncryptionKey::generate().unwrap());

fn options(key: &EncryptionKey) -> Options {
    Options::encrypted(key).background(false).read_mode(ReadMode::Copy)
}

fn open(sim: &Sim) -> Result<LogStore> {
    open_on(&options(&KEY), Arc::new(sim.clone()), Path::new(STORE))
}

fn token(user: usize) -> Token {
    Token::builder().user_name(format!("user{user}")).refresh_token(format!("fake-refresh-{user}")).build()
}

/// A log of a store, and what is in it.
struct Canonical {
    sim: Sim,
    log: Vec<u8>,
    /// The same store's log one generation before, with as many rows.
    older: Vec<u8>,
    frames: Vec<Range<usize>>,
    rows: Vec<Token>,
}

fn content(sim: &Sim) -> Vec<u8> {
    let mut log = sim.content(Path::new(STORE), "store.log").unwrap();
    log.truncate(log.iter().rposition(|byte| *byte != 0).unwrap().next_multiple_of(8) + 64);
    log
}

/// With a base frame, two seals, commits of one operation and of several, a delete, and a recovered frame.
fn canonical() -> Canonical {
    canonical_on(Sim::new())
}

fn canonical_on(sim: Sim) -> Canonical {
    let store = open(&sim).unwrap();
    store.save_tokens(&[token(1), token(2), token(3)]).unwrap();
    store.save_token(&token(4)).unwrap();
    store.save_token(&token(5)).unwrap();
    let older = content(&sim);
    store.compact().unwrap();
    store.save_token(&token(4)).unwrap();
    store.save_tokens(&[token(6), token(7)]).unwrap();
    store.delete("2").unwrap();
    store.close().unwrap();
    drop(store);
    let torn = sim.content(Path::new(STORE), "store.log").unwrap();
    let end = torn.iter().rposition(|byte| *byte != 0).unwrap() + 64;
    let mut torn = torn;
    torn[end] = 0xA5;
    sim.set_content(Path::new(STORE), "store.log", &torn);
    let store = open(&sim).unwrap();
    assert!(store.open_report().recovered.is_some());
    store.save_token(&token(8)).unwrap();
    store.save_token(&token(8)).unwrap();
    let rows = store.get_tokens().unwrap();
    store.close().unwrap();
    drop(store);
    let log = content(&sim);
    let frames = frames(&log);
    Canonical { sim, log, older, frames, rows }
}

fn frames(log: &[u8]) -> Vec<Range<usize>> {
    let (header, _) = FileHeader::decode(&log[..COPY_LEN]).unwrap();
    let mut frames = Vec::new();
    let mut at = FRAMES_AT;
    while let Ok((frame, _)) = FrameHeader::decode(header.seed(), at as u64, &log[at..]) {
        let end = at + usize::try_from(frame.frame_len()).unwrap();
        frames.push(at..end);
        at = end;
    }
    frames
}

fn kind(log: &[u8], frame: &Range<usize>) -> Kind {
    let (header, _) = FileHeader::decode(&log[..COPY_LEN]).unwrap();
    FrameHeader::decode(header.seed(), frame.start as u64, &log[frame.clone()]).unwrap().0.kind
}

/// The operations of a frame.
fn operations(log: &[u8], frame: &Range<usize>) -> Vec<Range<usize>> {
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

fn put(log: &mut [u8], at: usize, number: u32) {
    log[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

/// Makes every checksum and every chain right again for these frames, and the sequence numbers if asked to.
fn mend(log: &mut [u8], frames: &[Range<usize>], renumber: bool) {
    let mut chain = 0;
    for copy in [0, COPY_LEN] {
        chain = crc32fast::hash(&log[copy..copy + COPY_LEN - 4]);
        put(log, copy + COPY_LEN - 4, chain);
    }
    let [generation, salt] = [56, 64].map(|at| u64::from_le_bytes(log[at..at + 8].try_into().unwrap()));
    let seed = Seed::new(salt, generation);
    for (frame, sequence) in frames.iter().zip(1_u64..) {
        let at = frame.start;
        put(log, at + 12, chain);
        if renumber {
            log[at + 16..at + 24].copy_from_slice(&sequence.to_le_bytes());
            let watermark = u64::from_le_bytes(log[at + 24..at + 32].try_into().unwrap()).min(at as u64);
            log[at + 24..at + 32].copy_from_slice(&watermark.to_le_bytes());
        }
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

/// Opening must refuse this log, whatever became of its checksums, and leave it as it is; looking at it shows no row that
/// was never there.
fn refused(canonical: &Canonical, log: &[u8], what: &str) -> ErrorKind {
    let sim = canonical.sim.with_log(Path::new(STORE), log, true);
    let error = match open(&sim) {
        Ok(store) => panic!("{what}: it opens, with {:?}", store.get_tokens()),
        Err(error) => error,
    };
    let right = [ErrorKind::Corrupt, ErrorKind::WrongKey, ErrorKind::Copied, ErrorKind::Unsupported];
    let right = right.contains(&error.kind()) || matches!(error, Error::NotEncrypted { .. } | Error::NotAStore { .. });
    assert!(right, "{what}: {error}");
    assert_eq!(sim.content(Path::new(STORE), "store.log").as_deref(), Some(log), "{what}: the log is left as it was");
    error.kind()
}

#[test]
fn every_bit_counts_with_and_without_its_checksums() {
    let canonical = canonical();
    let end = canonical.frames.last().unwrap().end;
    let header_bits = (0..224).chain(4092..4096);
    let bytes = header_bits.chain(FRAMES_AT..end).collect::<Vec<_>>();
    let mut forged = 0;
    for byte in bytes {
        for bit in 0..8 {
            for mended in [false, true] {
                let mut log = canonical.log.clone();
                log[byte] ^= 1 << bit;
                if byte < COPY_LEN {
                    log[byte + COPY_LEN] ^= 1 << bit;
                }
                if mended {
                    mend(&mut log, &canonical.frames, false);
                }
                if log == canonical.log {
                    // A checksum, which was mended.
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

/// These frames, one behind the other, with everything right that anybody can make right.
fn arranged(log: &[u8], frames: &[Range<usize>], order: &[usize]) -> Vec<u8> {
    let mut arranged = log[..FRAMES_AT].to_vec();
    let mut places = Vec::new();
    for frame in order.iter().map(|number| &frames[*number]) {
        places.push(arranged.len()..arranged.len() + frame.len());
        arranged.extend(&log[frame.clone()]);
    }
    arranged.resize(arranged.len().max(log.len()), 0);
    mend(&mut arranged, &places, true);
    arranged
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
            mend(&mut swapped, frames, false);
            refused(&canonical, &swapped, &format!("operations at {} and {}", first.start, second.start));
            // And through a handle that was open before: the row that was asked for, or an error.
            check_live(&canonical, &swapped);
            tried += 1;
        }
    }
    assert!(tried > 10, "{tried}");
}

/// A handle that was open before finds what was saved, or an error.
fn check_live(canonical: &Canonical, log: &[u8]) {
    let sim = canonical.sim.kill();
    let store = open(&sim).unwrap();
    sim.set_content(Path::new(STORE), "store.log", log);
    for row in &canonical.rows {
        match store.find_token_by_id(row.id().unwrap()) {
            Ok(found) => assert_eq!(found, *row),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt),
        }
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
                mend(&mut log, ours, true);
                refused(&canonical, &log, &format!("frame {number} from {name}"));
                tried += 1;
            }
        }
        assert!(tried > 0, "{name}");
        // All of them, behind our header.
        let mut log = canonical.log[..FRAMES_AT].to_vec();
        log.extend(&other[FRAMES_AT..]);
        log.resize(log.len().max(canonical.log.len()), 0);
        mend(&mut log, &theirs, false);
        refused(&canonical, &log, &format!("all frames from {name}"));
        // And their header before our frames.
        let mut log = canonical.log.clone();
        log[..FRAMES_AT].copy_from_slice(&other[..FRAMES_AT]);
        mend(&mut log, ours, false);
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
        mend(&mut forged, &all, true);
        forged[end + 24..end + 32].copy_from_slice(&(end as u64).to_le_bytes());
        mend(&mut forged, &all, false);
        assert_eq!(refused(&canonical, &forged, "a frame at the end"), ErrorKind::Corrupt);
    }
}

#[test]
fn a_forged_frame_is_told_also_by_who_only_looks() {
    let canonical = canonical();
    let frame = canonical.frames.last().unwrap();
    let mut log = canonical.log.clone();
    log[frame.end - 1] ^= 1;
    mend(&mut log, &canonical.frames, false);
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
