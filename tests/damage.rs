//! One damaged place in a small store: every bit and every length, never a wrong answer.
//!
//! Method: a log that holds a seal, single saves, a batch, an update, a delete, a clear, a recovered frame and zeros;
//! each bit of it is flipped, each truncation tried, on opening and under a live handle. Allowed: the same rows; an
//! error that names the damage; or, where nothing but a lost watermark knew of the last frame, a recovered tail.

mod sim;

use std::path::Path;
use std::sync::Arc;

use sim::{Fault, Plan, Sim};
use tokcask::format::frame::{FRAME_HEADER_LEN, FrameBuilder, FrameHeader};
use tokcask::format::header::FileHeader;
use tokcask::format::operation::Operation;
use tokcask::{Error, ErrorKind, Key, LogStore, Options, ReadMode, Result, Token, TokenStore, VerifyStatus, open_on};

const STORE: &str = "/store";
const FRAMES_AT: usize = 8192;

fn open(sim: &Sim) -> Result<LogStore> {
    open_on(&Options::new().background(false).read_mode(ReadMode::Copy), Arc::new(sim.clone()), Path::new(STORE))
}

fn token(number: u32) -> Token {
    Token::builder()
        .user_name(format!("user{number}"))
        .refresh_token(format!("fake-refresh-{number}"))
        .access_token(format!("fake-access-{number}"))
        .extra("scope", "crm")
        .build()
}

type Rows = Vec<(Token, Option<u64>)>;

fn rows(store: &LogStore) -> Rows {
    store.get_tokens().unwrap().into_iter().map(|row| (row.clone(), row.revision())).collect()
}

struct Canonical {
    sim: Sim,
    log: Vec<u8>,
    /// End of the last frame.
    end: usize,
    /// Where the last frame begins.
    last: usize,
    rows: Rows,
    /// Without the last frame.
    rows_before: Rows,
}

fn canonical() -> Canonical {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    store.save_token(&token(1)).unwrap();
    store.delete_tokens().unwrap();
    store.save_tokens(&[token(2), token(3), token(4)]).unwrap();
    store.save_token(&token(3)).unwrap();
    drop(store);
    // A write that a crash cut short, so that the log has a recovered frame in it.
    let path = Path::new(STORE);
    let mut log = sim.content(path, "store.log").unwrap();
    let torn = log.iter().rposition(|byte| *byte != 0).unwrap() + 64;
    log[torn..torn + 40].fill(0xA5);
    sim.set_content(path, "store.log", &log);
    let store = open(&sim).unwrap();
    assert!(store.open_report().recovered.is_some());
    store.delete("2").unwrap();
    store.save_token(&token(5)).unwrap();
    let (rows_before, last) = (rows(&store), store.stats().unwrap().log_bytes);
    store.save_token(&token(6)).unwrap();
    let (rows, end) = (rows(&store), store.stats().unwrap().log_bytes);
    store.close().unwrap();
    drop(store);
    let end = usize::try_from(end).unwrap();
    let mut log = sim.content(path, "store.log").unwrap();
    log.truncate(end + 1000);
    sim.set_content(path, "store.log", &log);
    Canonical { sim, log, end, last: usize::try_from(last).unwrap(), rows, rows_before }
}

/// What opening makes of a log.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Same,
    SameOtherHeader,
    RecoveredSame,
    RecoveredBefore,
    Refused(ErrorKind),
}

fn outcome(canonical: &Canonical, log: &[u8], slots: bool) -> Outcome {
    let sim = canonical.sim.with_log(Path::new(STORE), log, slots);
    let store = match open(&sim) {
        Ok(store) => store,
        Err(error) => {
            if let Error::Corrupt { offset, .. } = &error {
                assert!(*offset <= log.len() as u64, "{error}");
            }
            assert_eq!(sim.content(Path::new(STORE), "store.log").unwrap(), log, "a refused log is left as it is");
            return Outcome::Refused(error.kind());
        }
    };
    let found = rows(&store);
    let report = store.open_report();
    match &report.recovered {
        Some(tail) if found == canonical.rows => {
            assert!(tail.quarantine.is_some());
            Outcome::RecoveredSame
        }
        Some(_) if found == canonical.rows_before => Outcome::RecoveredBefore,
        None if found == canonical.rows && report.header_copy_damaged => Outcome::SameOtherHeader,
        None if found == canonical.rows => Outcome::Same,
        _ => panic!("a wrong answer: {found:?} ({report:?})"),
    }
}

#[test]
fn every_bit_flip_is_harmless_or_an_error_or_a_recovered_tail() {
    let canonical = canonical();
    let mut log = canonical.log.clone();
    let mut seen = std::collections::BTreeMap::new();
    for slots in [true, false] {
        for bit in 0..8 * canonical.log.len() {
            let at = bit / 8;
            log[at] ^= 1 << (bit % 8);
            let outcome = outcome(&canonical, &log, slots);
            log[at] ^= 1 << (bit % 8);
            let right = match outcome {
                Outcome::SameOtherHeader => at < FRAMES_AT,
                Outcome::Refused(ErrorKind::Corrupt) => (FRAMES_AT..canonical.end).contains(&at),
                Outcome::RecoveredSame => at >= canonical.end,
                // The documented limit: the last frame, when the watermark is lost as well.
                Outcome::RecoveredBefore => !slots && (canonical.last..canonical.end).contains(&at),
                Outcome::Same | Outcome::Refused(_) => false,
            };
            assert!(right, "bit {} of byte {at}, slots {slots}: {outcome:?}", bit % 8);
            *seen.entry(format!("slots {slots}: {outcome:?}")).or_insert(0) += 1;
        }
    }
    println!("{seen:?}");
    assert_eq!(seen.len(), 7, "{seen:?}");
}

#[test]
fn every_truncation_is_harmless_or_an_error() {
    let canonical = canonical();
    for len in 0..=canonical.log.len() {
        let outcome = outcome(&canonical, &canonical.log[..len], true);
        let expected = if len < canonical.end { Outcome::Refused(ErrorKind::Copied) } else { Outcome::Same };
        assert_eq!(outcome, expected, "{len} bytes left");
    }
}

#[test]
fn every_bit_flip_under_a_live_handle_is_found_by_the_find_that_meets_it() {
    let canonical = canonical();
    let path = Path::new(STORE);
    let sim = canonical.sim.kill();
    let store = open(&sim).unwrap();
    let mut log = canonical.log.clone();
    let mut errors = 0;
    for bit in 8 * FRAMES_AT..8 * canonical.end {
        log[bit / 8] ^= 1 << (bit % 8);
        sim.set_content(path, "store.log", &log);
        for (row, _) in &canonical.rows {
            let keys = [
                Key::Id(row.id().unwrap()),
                Key::UserName(row.user_name().unwrap()),
                Key::RefreshToken(row.refresh_token().unwrap().expose_secret()),
                Key::AccessToken(row.access_token().unwrap().expose_secret()),
            ];
            for key in keys {
                match store.get(key) {
                    Ok(found) => assert_eq!(found.as_ref(), Some(row), "bit {bit}, {key:?}"),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Corrupt, "bit {bit}");
                        errors += 1;
                    }
                }
            }
        }
        assert_eq!(store.get(Key::UserName("nobody")).unwrap(), None);
        assert_eq!(store.verify().unwrap().status, VerifyStatus::Corrupt, "bit {bit}");
        log[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(errors > 1000, "{errors} errors");
}

#[test]
fn a_bit_flip_under_a_live_mapped_handle_is_found_too() {
    use std::os::unix::fs::FileExt;
    let directory = tempfile::tempdir().unwrap();
    let store = LogStore::open(directory.path().join("tokens")).unwrap();
    store.save_tokens(&[token(1), token(2), token(3)]).unwrap();
    let rows = store.get_tokens().unwrap();
    let end = usize::try_from(store.stats().unwrap().log_bytes).unwrap();
    let path = directory.path().join("tokens/store.log");
    let log = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut errors = 0;
    for bit in 8 * FRAMES_AT..8 * end {
        let mut byte = [0];
        log.read_exact_at(&mut byte, bit as u64 / 8).unwrap();
        log.write_all_at(&[byte[0] ^ (1 << (bit % 8))], bit as u64 / 8).unwrap();
        for row in &rows {
            match store.get(Key::RefreshToken(row.refresh_token().unwrap().expose_secret())) {
                Ok(found) => assert_eq!(found.as_ref(), Some(row), "bit {bit}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "bit {bit}");
                    errors += 1;
                }
            }
        }
        log.write_all_at(&byte, bit as u64 / 8).unwrap();
    }
    assert!(errors > 1000, "{errors} errors");
    assert_eq!(store.get_tokens().unwrap(), rows);
}

#[test]
fn every_truncation_under_a_live_copying_handle_is_an_error_or_the_right_row() {
    let canonical = canonical();
    let sim = canonical.sim.kill();
    let store = open(&sim).unwrap();
    for len in (0..canonical.end).rev() {
        sim.set_content(Path::new(STORE), "store.log", &canonical.log[..len]);
        for (row, _) in &canonical.rows {
            match store.get(Key::UserName(row.user_name().unwrap())) {
                Ok(found) => assert_eq!(found.as_ref(), Some(row), "{len} bytes left"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{len} bytes left"),
            }
        }
    }
}

#[test]
fn every_bit_flip_in_the_lock_file_is_harmless() {
    let canonical = canonical();
    let path = Path::new(STORE);
    let mut lock = canonical.sim.content(path, "store.lock").unwrap();
    let dense = |byte: &usize| byte % 4096 < 400 || byte.is_multiple_of(61);
    for byte in (0..lock.len()).filter(dense) {
        for bit in 0..8 {
            lock[byte] ^= 1 << bit;
            let sim = canonical.sim.kill();
            sim.set_content(path, "store.lock", &lock);
            let store = open(&sim).unwrap_or_else(|error| panic!("bit {bit} of byte {byte}: {error}"));
            assert_eq!(rows(&store), canonical.rows, "bit {bit} of byte {byte}");
            store.save_token(&token(7)).unwrap();
            lock[byte] ^= 1 << bit;
        }
    }
}

#[test]
fn sectors_zeroed_garbled_swapped_or_stale_are_never_a_wrong_answer() {
    let canonical = canonical();
    let stale = canonical_before_last(&canonical);
    let sectors = canonical.log.len() / 512;
    for sector in 0..sectors {
        let range = 512 * sector..512 * (sector + 1);
        let mut zeroed = canonical.log.clone();
        zeroed[range.clone()].fill(0);
        let mut garbled = canonical.log.clone();
        garbled[range.clone()].fill(0x5A);
        let mut older = canonical.log.clone();
        older[range.clone()].copy_from_slice(&stale[range.clone()]);
        let mut logs = vec![zeroed, garbled, older];
        for other in 0..sectors {
            let mut swapped = canonical.log.clone();
            swapped[range.clone()].copy_from_slice(&canonical.log[512 * other..512 * (other + 1)]);
            swapped[512 * other..512 * (other + 1)].copy_from_slice(&canonical.log[range.clone()]);
            logs.push(swapped);
        }
        for log in logs {
            match outcome(&canonical, &log, true) {
                Outcome::RecoveredBefore => panic!("sector {sector}: an acknowledged row is gone without an error"),
                Outcome::Refused(kind) => assert_eq!(kind, ErrorKind::Corrupt, "sector {sector}"),
                Outcome::Same | Outcome::SameOtherHeader | Outcome::RecoveredSame => {}
            }
        }
    }
}

/// The log as it was before its last frame.
fn canonical_before_last(canonical: &Canonical) -> Vec<u8> {
    let mut log = canonical.log.clone();
    log[canonical.last..].fill(0);
    log
}

#[test]
fn two_whole_but_different_headers_are_corruption() {
    let canonical = canonical();
    let mut log = canonical.log.clone();
    let (header, _) = FileHeader::decode(&log[..4096]).unwrap();
    let other = FileHeader { created_ms: header.created_ms + 1, ..header };
    log[4096..8192].copy_from_slice(&other.encode().0);
    assert_eq!(outcome(&canonical, &log, true), Outcome::Refused(ErrorKind::Corrupt));
}

#[test]
fn a_frame_that_verifies_and_does_not_follow_is_not_taken() {
    let canonical = canonical();
    let (header, _) = FileHeader::decode(&canonical.log[..4096]).unwrap();
    let (last, crc) =
        FrameHeader::decode(header.seed(), canonical.last as u64, &canonical.log[canonical.last..]).unwrap();
    let append = |chain: u32, sequence: u64| {
        let mut frame = FrameBuilder::new(header.seed(), canonical.end as u64, 0);
        frame.push(&Operation::Clear).unwrap();
        let watermark = canonical.end as u64;
        let next_revision = last.next_revision + 1;
        let (bytes, _) = frame.finish(FrameHeader { chain, sequence, watermark, next_revision, ..last });
        let mut log = canonical.log.clone();
        log[canonical.end..canonical.end + bytes.len()].copy_from_slice(&bytes);
        log
    };
    for (chain, sequence) in [(crc ^ 1, last.sequence + 1), (crc, last.sequence), (crc, last.sequence + 2)] {
        assert_eq!(outcome(&canonical, &append(chain, sequence), true), Outcome::RecoveredSame);
    }
    let sim = canonical.sim.with_log(Path::new(STORE), &append(crc, last.sequence + 1), true);
    assert_eq!(open(&sim).unwrap().get_tokens().unwrap(), [], "and one that follows is");
}

#[test]
fn operations_that_are_good_each_and_not_together_are_no_frame() {
    let canonical = canonical();
    let (header, _) = FileHeader::decode(&canonical.log[..4096]).unwrap();
    let (last, crc) =
        FrameHeader::decode(header.seed(), canonical.last as u64, &canonical.log[canonical.last..]).unwrap();
    let frame = |ids: [&str; 2]| {
        let mut frame = FrameBuilder::new(header.seed(), canonical.end as u64, 0);
        for id in ids {
            frame.push(&Operation::Delete(id)).unwrap();
        }
        let (sequence, next_revision) = (last.sequence + 1, last.next_revision + 2);
        frame.finish(FrameHeader { chain: crc, sequence, watermark: canonical.end as u64, next_revision, ..last }).0
    };
    let with = |frame: &[u8]| {
        let mut log = canonical.log.clone();
        log[canonical.end..canonical.end + frame.len()].copy_from_slice(frame);
        log
    };
    let ids: Vec<_> = canonical.rows.iter().map(|(row, _)| row.id().unwrap()).collect();
    let (ours, other) = (frame([ids[0], ids[1]]), frame([ids[0], ids[2]]));
    let mut mixed = ours.clone();
    let second = usize::midpoint(FRAME_HEADER_LEN, ours.len());
    mixed[second..].copy_from_slice(&other[second..]);
    assert_eq!(outcome(&canonical, &with(&mixed), true), Outcome::RecoveredSame);
    let sim = canonical.sim.with_log(Path::new(STORE), &with(&ours), true);
    assert_eq!(open(&sim).unwrap().get_tokens().unwrap().len(), canonical.rows.len() - 2, "and a whole one is");
}

#[test]
fn a_torn_tail_is_cut_kept_aside_and_its_ids_are_not_given_again() {
    let canonical = canonical();
    let sim = canonical.sim.kill();
    let path = Path::new(STORE);
    let store = open(&sim).unwrap();
    store.save_token(&token(19)).unwrap(); // extends the log
    let (before, stats) = (rows(&store), store.stats().unwrap());
    let (end, next_id) = (usize::try_from(stats.log_bytes).unwrap(), stats.next_id);
    // The machine goes while a batch is being written.
    sim.set_plan(Some(Plan { call: sim.calls(), only: Some(sim::Call::Write), fault: Fault::Crash, sticky: false }));
    let batch: Vec<_> = (20..30).map(token).collect();
    store.save_tokens(&batch).unwrap_err();
    let written = sim.content(path, "store.log").unwrap();
    let torn = &written[..=end + 200 + written[end + 200..].iter().position(|byte| *byte != 0).unwrap()];
    let sim = canonical.sim.with_log(Path::new(STORE), torn, true);
    let store = open(&sim).unwrap();
    let tail = store.open_report().recovered.clone().unwrap();
    assert_eq!((tail.offset, tail.bytes_cut), (end as u64, (torn.len() - end) as u64));
    let name = tail.quarantine.unwrap();
    let kept = sim.content(path, name.file_name().unwrap().to_str().unwrap()).unwrap();
    assert_eq!(kept, torn[end..]);
    assert_eq!(rows(&store), before);
    let saved = store.save_token(&token(50)).unwrap();
    assert!(saved.id().unwrap().parse::<u64>().unwrap() >= next_id + 10);
    store.compact().unwrap();
    assert!(!sim.names(path).iter().any(|name| name.starts_with("store.torn")), "gone after a compaction");
}
