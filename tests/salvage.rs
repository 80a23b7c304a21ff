//! What a salvage brings back of a damaged log: rows that were saved, nothing else, and an honest account of the rest.
//!
//! Method: one history with every kind of frame; each byte, sector and length of its log damaged, one at a time, with
//! and without the watermark. A salvaged row must be a version that was saved; one that is not the last version, or was
//! deleted, must be among those that may be stale; one that is gone must have stood in a lost part or behind the end.

mod sim;

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;

use sim::{Damage, Fault, Plan, Sim};
use tokcask::format::frame::{FrameBuilder, FrameHeader, Kind};
use tokcask::format::header::{COPY_LEN, FileHeader};
use tokcask::format::operation::Operation;
use tokcask::{
    ErrorKind, LogStore, Options, ReadMode, Result, SalvageReport, Token, TokenStore, VerifyStatus, open_on, salvage_on,
};

const STORE: &str = "/store";
const RESCUED: &str = "/rescued";
const FRAMES_AT: usize = 8192;

fn open(sim: &Sim, path: &str) -> Result<LogStore> {
    open_on(&Options::new().read_mode(ReadMode::Copy), Arc::new(sim.clone()), Path::new(path))
}

fn salvage(sim: &Sim) -> Result<SalvageReport> {
    salvage_on(&Options::new(), sim, Path::new(STORE), Path::new(RESCUED))
}

fn token(user: u32, version: u32) -> Token {
    Token::builder()
        .user_name(format!("user{user}"))
        .refresh_token(format!("fake-refresh-{user}"))
        .access_token(format!("fake-access-{user}-{version}"))
        .build()
}

/// A store, and everything that was ever in it.
struct History {
    sim: Sim,
    log: Vec<u8>,
    end: usize,
    /// All versions of each id, with their revisions.
    versions: BTreeMap<String, Vec<(Token, u64)>>,
    /// The last state.
    rows: BTreeMap<String, u64>,
    order: Vec<String>,
    /// The log before the compaction.
    older: Vec<u8>,
    next_id: u64,
    next_revision: u64,
}

fn history() -> History {
    let sim = Sim::new();
    let store = open(&sim, STORE).unwrap();
    let mut versions: BTreeMap<String, Vec<(Token, u64)>> = BTreeMap::new();
    let mut keep = |rows: Vec<Token>| {
        for row in rows {
            let id = row.id().unwrap().to_owned();
            versions.entry(id).or_default().push((row.clone(), row.revision().unwrap()));
        }
    };
    keep(store.save_tokens(&(1..=6).map(|user| token(user, 0)).collect::<Vec<_>>()).unwrap());
    store.delete("2").unwrap();
    let older = sim.content(Path::new(STORE), "store.log").unwrap();
    store.compact().unwrap();
    keep(vec![store.save_token(&token(1, 1)).unwrap()]);
    keep(store.save_tokens(&[token(7, 0), token(3, 1), token(8, 0)]).unwrap());
    store.delete("4").unwrap();
    keep(vec![store.save_token(&token(7, 1)).unwrap()]);
    store.delete("8").unwrap();
    keep(vec![store.save_token(&token(9, 0)).unwrap()]);
    let rows = store.get_tokens().unwrap();
    let stats = store.stats().unwrap();
    store.close().unwrap();
    drop(store);
    let end = usize::try_from(stats.log_bytes).unwrap();
    let mut log = sim.content(Path::new(STORE), "store.log").unwrap();
    log.truncate(end + 600);
    sim.set_content(Path::new(STORE), "store.log", &log);
    History {
        sim,
        log,
        end,
        versions,
        rows: rows.iter().map(|row| (row.id().unwrap().to_owned(), row.revision().unwrap())).collect(),
        order: rows.iter().map(|row| row.id().unwrap().to_owned()).collect(),
        older,
        next_id: stats.next_id,
        next_revision: stats.next_revision,
    }
}

/// What became of one damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Whole,
    Partly,
    TornTail,
    Refused(&'static str),
}

impl History {
    fn with(&self, log: &[u8], slots: bool) -> Sim {
        self.sim.with_log(Path::new(STORE), log, slots)
    }

    /// The whole log but for one bit of this text, and where that is.
    fn with_damaged(&self, text: &str) -> (Sim, u64) {
        let mut log = self.log.clone();
        let at = log.windows(text.len()).rposition(|window| window == text.as_bytes()).expect("it was saved");
        log[at] ^= 1;
        (self.with(&log, true), at as u64)
    }

    /// Salvages from this log, and judges what comes of it. `damaged` is where it differs from the whole one.
    fn check(&self, log: &[u8], slots: bool, damaged: &Range<usize>) -> Outcome {
        let sim = self.with(log, slots);
        let report = match salvage(&sim) {
            Ok(report) => report,
            Err(error) => {
                assert!(sim.names(Path::new(RESCUED)).is_empty(), "nothing is left of {error}");
                let kinds = [
                    (ErrorKind::Corrupt, "corrupt"),
                    (ErrorKind::NotAStore, "no store"),
                    (ErrorKind::Copied, "copied"),
                ];
                let kind = kinds.iter().find(|(kind, _)| *kind == error.kind()).unwrap_or_else(|| panic!("{error}"));
                assert!(damaged.start < FRAMES_AT, "{damaged:?}: only without a header nothing can be read: {error}");
                return Outcome::Refused(kind.1);
            }
        };
        assert!(sim.content(Path::new(STORE), "store.log").unwrap() == log, "the damaged log is left as it is");
        let rescued = open(&sim, RESCUED).unwrap();
        assert_eq!(rescued.verify().unwrap().status, VerifyStatus::Clean);
        let rows = rescued.get_tokens().unwrap();
        assert_eq!(rows.len() as u64, report.tokens);
        // What was cut off the file, and is in no slot, nobody can know of.
        let knowable = slots || log.len() == self.log.len();
        let mut whole = rows.len() == self.rows.len();
        for row in &rows {
            let (id, revision) = (row.id().unwrap(), row.revision().unwrap());
            let known = self.versions[id].iter().any(|(version, at)| version == row && *at == revision);
            assert!(known, "{damaged:?}: {row:?} was never saved");
            if self.rows.get(id) != Some(&revision) {
                whole = false;
                let told =
                    report.maybe_stale.iter().any(|stale| stale == id) || report.torn_tail.is_some() || !knowable;
                assert!(told, "{damaged:?}: row {id} is of revision {revision}, and nobody is told: {report:?}");
            }
        }
        if report.lost.is_empty() && report.torn_tail.is_none() && knowable {
            assert!(rows.iter().map(|row| row.id().unwrap()).eq(self.order.iter().map(String::as_str)), "{damaged:?}");
        }
        if !whole {
            assert!(!report.lost.is_empty() || report.torn_tail.is_some() || !knowable, "{damaged:?}: {report:?}");
        }
        // Of zeros nobody can tell what they were.
        if knowable && (report.torn_tail.is_none() || damaged.len() == 1) {
            let saved = rescued.save_token(&token(99, 0)).unwrap();
            let id: u64 = saved.id().unwrap().parse().unwrap();
            assert!(id >= self.next_id && saved.revision().unwrap() >= self.next_revision, "{damaged:?}: {report:?}");
        }
        if report.torn_tail.is_some() {
            // Only where nothing but the watermark knew of the last frame.
            assert!(!slots, "{damaged:?}: {report:?}");
            return Outcome::TornTail;
        }
        let touches = |range: &Range<u64>| range.start < damaged.end as u64 && range.end + 128 > damaged.start as u64;
        assert!(report.lost.iter().all(touches), "{damaged:?}: {report:?}");
        if whole { Outcome::Whole } else { Outcome::Partly }
    }
}

fn count(outcomes: impl IntoIterator<Item = Outcome>) -> BTreeMap<Outcome, u64> {
    let mut counts = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(outcome).or_insert(0) += 1;
    }
    counts
}

#[test]
fn an_undamaged_store_comes_out_as_it_was() {
    let history = history();
    assert_eq!(history.check(&history.log, true, &(0..0)), Outcome::Whole);
    let sim = history.with(&history.log, true);
    let report = salvage(&sim).unwrap();
    let mut nothing_lost = SalvageReport::default();
    nothing_lost.tokens = history.rows.len() as u64;
    assert_eq!(report, nothing_lost);
    let (before, after) = (open(&sim, STORE).unwrap(), open(&sim, RESCUED).unwrap());
    for (before, after) in before.get_tokens().unwrap().iter().zip(after.get_tokens().unwrap()) {
        assert_eq!(*before, after);
        let stamps = |row: &Token| (row.created_at(), row.updated_at(), row.revision());
        assert_eq!(stamps(before), stamps(&after));
    }
    assert_ne!(before.stats().unwrap().uuid, after.stats().unwrap().uuid, "it is another store");
}

#[test]
fn every_damaged_byte_costs_at_most_what_is_told() {
    let history = history();
    for slots in [true, false] {
        let outcomes = (0..history.end).map(|at| {
            let mut log = history.log.clone();
            log[at] ^= 0x10;
            history.check(&log, slots, &(at..at + 1))
        });
        let counts = count(outcomes);
        println!("slots {slots}: {counts:?}");
        assert!(counts[&Outcome::Whole] > 8192 && counts[&Outcome::Partly] > 400, "{counts:?}");
    }
}

#[test]
fn every_damaged_sector_and_length_costs_at_most_what_is_told() {
    let history = history();
    for slots in [true, false] {
        let mut counts = BTreeMap::new();
        for start in (0..history.end).step_by(128) {
            for fill in [0x00, 0xA5] {
                let range = start..(start + 512).min(history.end);
                let mut log = history.log.clone();
                log[range.clone()].fill(fill);
                *counts.entry(history.check(&log, slots, &range)).or_insert(0) += 1;
            }
        }
        for len in (0..history.end).step_by(8) {
            *counts.entry(history.check(&history.log[..len], slots, &(len..history.end))).or_insert(0) += 1;
        }
        println!("slots {slots}: {counts:?}");
    }
}

#[test]
fn one_bad_row_of_a_batch_costs_that_row_alone() {
    let history = history();
    let (sim, at) = history.with_damaged("fake-access-3-1");
    let report = salvage(&sim).unwrap();
    let rescued = open(&sim, RESCUED).unwrap();
    assert_eq!(rescued.get(tokcask::Key::UserName("user7")).unwrap().unwrap().id(), Some("7"));
    let old = rescued.get(tokcask::Key::Id("3")).unwrap().expect("its version before is there");
    assert_eq!(old.access_token().unwrap().expose_secret(), "fake-access-3-0");
    assert!(
        report.maybe_stale.contains(&"3".to_owned()) && !report.maybe_stale.contains(&"9".to_owned()),
        "{report:?}"
    );
    assert_eq!(report.lost.len(), 1);
    assert!(report.lost[0].contains(&at) && report.lost[0].end - report.lost[0].start < 200);
    assert_eq!(report.missing_sequences.len(), 1);
}

#[test]
fn a_lost_part_of_what_a_compaction_carried_over_makes_no_other_row_doubtful() {
    let history = history();
    let (sim, _) = history.with_damaged("fake-access-6-0");
    let report = salvage(&sim).unwrap();
    assert_eq!((report.tokens, report.maybe_stale), (history.rows.len() as u64 - 1, Vec::new()));
}

#[test]
fn what_lies_behind_a_torn_end_counts_as_little_as_for_an_opener() {
    // Somebody made a frame that is good by itself and claims nothing, behind bytes that are none.
    let history = history();
    let sim = history.with(&history.log, true);
    let (header, _) = FileHeader::decode(&history.log[..4096]).unwrap();
    let at = history.end + 800;
    let mut frame = FrameBuilder::new(header.seed(), at as u64, 0);
    frame.push(&Operation::Clear).unwrap();
    let (bytes, _) = frame.finish(FrameHeader {
        kind: Kind::Commit,
        body_len: 0,
        chain: 0,
        sequence: 1000,
        watermark: 8192,
        time_ms: 0,
        next_id: 1,
        next_revision: 1,
        body_crc: 0,
    });
    let mut log = history.log[..history.end].to_vec();
    log.resize(at, 0xA5);
    log.extend(bytes);
    sim.set_content(Path::new(STORE), "store.log", &log);
    let report = salvage(&sim).unwrap();
    assert_eq!((report.tokens, report.torn_tail.unwrap().offset), (history.rows.len() as u64, history.end as u64));
    assert_eq!((report.lost, report.maybe_stale), (Vec::new(), Vec::new()));
    assert_eq!(open(&sim, STORE).unwrap().get_tokens().unwrap(), open(&sim, RESCUED).unwrap().get_tokens().unwrap());
}

/// Where the frame lies that puts this id, of so many operations.
fn frame_with_put(sim: &Sim, id: &str, operations: usize) -> Range<usize> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    std::fs::create_dir(&path).unwrap();
    for name in ["store.log", "store.lock"] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(path.join(name), sim.content(Path::new(STORE), name).unwrap()).unwrap();
        std::fs::set_permissions(path.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mut found = None;
    let report = Options::new().dump(&path, |frame| {
        if frame.operations.len() == operations && frame.operations.iter().any(|operation| operation.id == Some(id)) {
            found = Some(frame.offset..frame.offset + 64 + frame.body_len);
        }
        ControlFlow::Continue(())
    });
    assert_eq!(report.unwrap().status, VerifyStatus::Clean);
    let found = found.expect("the history has such a frame");
    usize::try_from(found.start).unwrap()..usize::try_from(found.end).unwrap()
}

#[test]
fn sectors_that_cannot_be_read_are_lost_and_the_others_are_not() {
    let history = history();
    for at in (0..history.end as u64).step_by(512) {
        let sim = history.with(&history.log, true);
        sim.set_bad(Path::new(STORE), "store.log", at..at + 512);
        let report = salvage(&sim).unwrap();
        if at + 512 <= FRAMES_AT as u64 {
            assert_eq!(report.lost, [], "the other copy of the header serves");
        } else {
            assert!(!report.lost.is_empty());
        }
        let rows = open(&sim, RESCUED).unwrap().get_tokens().unwrap();
        for row in rows {
            assert!(history.versions[row.id().unwrap()].iter().any(|(version, _)| *version == row));
        }
    }
}

#[test]
fn a_log_of_which_nothing_can_be_read_is_the_devices_error() {
    let history = history();
    let sim = history.with(&history.log, true);
    sim.set_bad(Path::new(STORE), "store.log", 0..u64::MAX);
    let error = salvage(&sim).unwrap_err();
    assert!(matches!(&error, tokcask::Error::Io { source, .. } if source.raw_os_error() == Some(5)), "{error}");
    assert!(sim.names(Path::new(RESCUED)).is_empty());
}

#[test]
fn a_place_that_is_taken_is_told_as_that_also_beside_a_bad_sector() {
    let history = history();
    let sim = history.with(&history.log, true);
    sim.set_bad(Path::new(STORE), "store.log", FRAMES_AT as u64..FRAMES_AT as u64 + 512);
    open(&sim, RESCUED).unwrap().close().unwrap();
    assert_eq!(salvage(&sim).unwrap_err().kind(), ErrorKind::NotAStore);
}

#[test]
fn a_lost_file_header_costs_nothing() {
    let history = history();
    for slots in [true, false] {
        for fill in [0x00, 0xA5] {
            let mut log = history.log.clone();
            log[..FRAMES_AT].fill(fill);
            assert_eq!(history.check(&log, slots, &(0..FRAMES_AT)), Outcome::Whole);
            // With the first frame: what a compaction carried over.
            log[..FRAMES_AT + 512].fill(fill);
            assert_eq!(history.check(&log, slots, &(0..FRAMES_AT + 512)), Outcome::Partly);
        }
    }
    let mut log = history.log.clone();
    log.fill(0xA5);
    let sim = history.with(&log, true);
    assert_eq!(salvage(&sim).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn the_file_header_of_an_earlier_generation_costs_nothing() {
    let history = history();
    for slots in [true, false] {
        let mut log = history.log.clone();
        log[..COPY_LEN].copy_from_slice(&history.older[..COPY_LEN]);
        // Alone it would be one of two copies that contradict each other.
        log[COPY_LEN + 100] ^= 1;
        assert_eq!(history.check(&log, slots, &(0..FRAMES_AT)), Outcome::Whole);
    }
}

#[test]
fn of_two_headers_the_one_whose_frames_are_there_counts() {
    let history = history();
    for copy in [0, COPY_LEN] {
        let mut log = history.log.clone();
        log[copy..copy + COPY_LEN].copy_from_slice(&history.older[..COPY_LEN]);
        assert_eq!(history.check(&log, true, &(0..FRAMES_AT)), Outcome::Whole);
    }
}

#[test]
fn frames_of_an_earlier_generation_behind_the_header_are_not_taken_for_its_rows() {
    let history = history();
    let mut log = history.older.clone();
    log[..FRAMES_AT].copy_from_slice(&history.log[..FRAMES_AT]);
    for slots in [true, false] {
        let report = salvage(&history.with(&log, slots)).unwrap();
        assert_eq!((report.tokens, report.lost.is_empty()), (0, false), "{report:?}");
    }
    // Of a header that only one copy has, the slots know that it is the log's.
    log[COPY_LEN + 100] ^= 1;
    let report = salvage(&history.with(&log, true)).unwrap();
    assert_eq!((report.tokens, report.lost.is_empty()), (0, false), "{report:?}");
}

#[test]
fn an_older_log_is_salvaged_as_far_as_it_goes_and_all_of_it_is_doubtful() {
    let history = history();
    let sim = history.with(&history.log, true);
    let store = open(&sim, STORE).unwrap();
    store.compact().unwrap();
    store.save_token(&token(20, 0)).unwrap();
    let next_id = store.stats().unwrap().next_id;
    store.close().unwrap();
    drop(store);
    sim.set_content(Path::new(STORE), "store.log", &history.log);
    assert_eq!(open(&sim, STORE).unwrap_err().kind(), ErrorKind::Copied);
    let report = salvage(&sim).unwrap();
    assert_eq!(report.copied, Some("it is of an earlier generation"));
    assert_eq!(report.maybe_stale, history.order);
    let rescued = open(&sim, RESCUED).unwrap();
    assert!(rescued.stats().unwrap().next_id >= next_id, "ids of the lost part are not given again");
}

#[test]
fn a_salvage_needs_a_store_and_an_empty_place() {
    let history = history();
    let sim = history.with(&history.log, true);
    let nothing = salvage_on(&Options::new(), &sim, Path::new("/nowhere"), Path::new(RESCUED)).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::NotAStore);
    open(&sim, RESCUED).unwrap().close().unwrap();
    assert_eq!(salvage(&sim).unwrap_err().kind(), ErrorKind::NotAStore);
    assert_eq!(open(&sim, RESCUED).unwrap().get_tokens().unwrap(), []);
}

#[test]
fn a_file_made_to_be_searched_for_long_is_not() {
    // Every place seems to begin an operation of half a megabyte, and none does.
    let history = history();
    let sim = history.with(&history.log, true);
    let mut log = history.log.clone();
    let field = [1_u32.to_le_bytes(), (500_000_u32).to_le_bytes(), 64_u32.to_le_bytes(), [0; 4]].concat();
    let at = history.end - 64;
    let tail = log.split_off(at);
    for _ in 0..200_000 {
        log.extend(&field);
    }
    log.extend(&tail);
    sim.set_content(Path::new(STORE), "store.log", &log);
    // With a watermark behind all of that, so that it counts as lost.
    let lock = sim.content(Path::new(STORE), "store.lock").unwrap();
    let mut lock = lock;
    for block in [4096, 8192] {
        let slot = tokcask::format::slot::Slot::decode(lock[block..block + 56].try_into().unwrap());
        if let Ok(slot) = slot {
            let slot = tokcask::format::slot::Slot { watermark: log.len() as u64 / 8 * 8, ..slot };
            lock[block..block + 56].copy_from_slice(&slot.encode());
        }
    }
    sim.set_content(Path::new(STORE), "store.lock", &lock);
    let report = salvage(&sim).unwrap();
    assert!(!report.lost.is_empty());
}

#[test]
fn behind_the_second_seal_of_a_restored_backup_a_lost_delete_makes_rows_doubtful() {
    let history = history();
    let sim = history.with(&history.log, true);
    let store = open(&sim, STORE).unwrap();
    store.backup("/backup").unwrap();
    drop(store);
    let store = open(&sim, "/backup").unwrap();
    let deleted_at = usize::try_from(store.stats().unwrap().log_bytes).unwrap();
    store.delete("5").unwrap();
    store.backup("/again").unwrap();
    drop(store);
    let mut log = sim.content(Path::new("/again"), "store.log").unwrap();
    // Its frame alone: header, operation header, an id of one letter.
    log[deleted_at..][..81].fill(0xA5);
    sim.set_content(Path::new("/again"), "store.log", &log);
    let report = salvage_on(&Options::new(), &sim, Path::new("/again"), Path::new(RESCUED)).unwrap();
    assert!(report.maybe_stale.contains(&"5".to_owned()), "{report:?}");
    assert_eq!(report.tokens, history.rows.len() as u64);
}

#[test]
fn a_lost_last_frame_has_its_number_and_a_lost_watermark_is_told() {
    let history = history();
    let last = frame_with_put(&history.with(&history.log, true), "9", 1);
    for at in [last.start + 8, last.start + 100] {
        let mut log = history.log.clone();
        log[at] ^= 1;
        let report = salvage(&history.with(&log, true)).unwrap();
        assert_eq!((report.missing_sequences.len(), report.end_unproved), (1, false), "{report:?}");
    }
    let sim = history.with(&history.log, true);
    sim.set_bad(Path::new(STORE), "store.lock", 4096..12_288);
    let report = salvage(&sim).unwrap();
    assert_eq!((report.tokens, report.end_unproved), (history.rows.len() as u64, true));
}

#[test]
fn a_salvage_never_writes_into_what_it_saves() {
    let history = history();
    for inside in ["/store", "/store/rescued", "/store/a/b"] {
        let sim = history.with(&history.log, true);
        let refused = salvage_on(&Options::new(), &sim, Path::new(STORE), Path::new(inside)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotAStore);
        assert_eq!(sim.names(Path::new(STORE)), ["store.lock", "store.log"]);
    }
}

#[test]
fn a_salvage_that_is_stopped_anywhere_leaves_a_whole_store_or_none() {
    let history = history();
    let dry = history.with(&history.log, true);
    let first = dry.calls();
    salvage(&dry).unwrap();
    let mut whole = 0;
    for call in first..dry.calls() {
        for fault in [Fault::Crash, Fault::Errno(5), Fault::Errno(28)] {
            let sim = history.with(&history.log, true);
            sim.set_plan(Some(Plan::at(call, fault)));
            let salvaged = salvage(&sim);
            let crashed = fault == Fault::Crash;
            let image = if crashed { sim.power_loss(Damage::Mixed, call) } else { sim.kill() };
            assert!(image.content(Path::new(STORE), "store.log").unwrap() == history.log);
            let options = Options::new().read_mode(ReadMode::Copy).create(false);
            match open_on(&options, Arc::new(image.kill()), Path::new(RESCUED)) {
                Ok(store) => {
                    whole += 1;
                    assert_eq!(store.get_tokens().unwrap().len(), history.rows.len(), "call {call}, {fault:?}");
                }
                Err(error) => {
                    assert!(salvaged.is_err() || crashed, "call {call}, {fault:?}: {error}");
                    assert_eq!(error.kind(), ErrorKind::NotAStore, "call {call}, {fault:?}: {error}");
                    assert!(crashed || image.names(Path::new(RESCUED)).is_empty(), "call {call}, {fault:?}");
                    let again = image.kill();
                    assert_eq!(salvage(&again).unwrap().tokens, history.rows.len() as u64);
                }
            }
        }
    }
    assert!(whole > 0);
}
