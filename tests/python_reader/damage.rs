//! Damaged stores: the program and we come to the same verdict, and to the same rows where there are any.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokcask::format::frame::{FrameBuilder, FrameHeader, Kind, Link};
use tokcask::format::header::{COPY_LEN, FRAMES_AT, FileHeader};
use tokcask::format::operation::Operation;
use tokcask::format::{Seed, record, redo};
use tokcask::{ErrorKind, LogStore, Options, Token, TokenStore};

use super::{LOCK, LOG, fake, read_store, rows};

const REDO: &str = "store.redo";

#[test]
fn one_directory_is_answered_by_rows_a_note_and_an_exit_status() {
    if read_store::python_is_missing() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let sample = Sample::new(root.path());
    let ask = |name: &str, place: usize| {
        let mut case = sample.case(name);
        case.log_mut()[place] ^= 1;
        read_store::read_store(&[case.write(&root.path().join(name))])
    };
    let mends = ask("a damaged header copy", 99);
    assert_eq!(read_store::lines(&mends), sample.rows);
    assert!(mends.stderr.is_empty());

    let torn = ask("a torn tail", sample.end + 9);
    assert_eq!(read_store::lines(&torn), sample.rows);
    let note = String::from_utf8(torn.stderr).unwrap();
    assert!(note.contains(&format!("torn tail at offset {}", sample.end)), "{note}");

    let corrupt = ask("corruption", sample.frames[1] + 9);
    assert_eq!((corrupt.status.code(), corrupt.stdout.len()), (Some(3), 0));
    let note = String::from_utf8(corrupt.stderr).unwrap();
    assert!(note.contains(&format!("corrupt at offset {}", sample.frames[1])), "{note}");
}

#[test]
fn one_flipped_bit_gets_the_same_verdict() {
    if read_store::python_is_missing() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let sample = Sample::new(root.path());
    // The file header's fields, its padding, all of the frames, a little of the extension.
    let places = [(0, 224, 7), (224, 8_192, 171), (8_192, sample.end, 3), (sample.end, sample.log.len(), 301)];
    let places = places.into_iter().flat_map(|(from, to, step)| (from..to).step_by(step));
    let mut cases = Vec::new();
    for (number, at) in places.enumerate() {
        let bit = number % 8;
        let mut case = sample.case(&format!("bit {bit} of byte {at}"));
        case.log_mut()[at] ^= 1 << bit;
        cases.push(case.clone());
        cases.push(case.without_lock());
    }
    for at in [4_096, 8_192].into_iter().flat_map(|slot| (slot..slot + 60).step_by(3)) {
        let mut case = sample.case(&format!("byte {at} of the lock file"));
        case.lock.as_mut().unwrap()[at] ^= 0x10;
        cases.push(case);
    }
    let counts = compare(root.path(), &cases);
    assert!(cases.len() > 600, "{} places", cases.len());
    assert!(counts.values().all(|count| *count > 20) && counts.len() == 3, "each verdict occurs: {counts:?}");
}

#[test]
fn a_log_of_any_length_gets_the_same_verdict() {
    if read_store::python_is_missing() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let sample = Sample::new(root.path());
    let mut lengths = vec![0, 1, 8, 4_095, 4_096, 8_191, 8_192, 8_193, sample.log.len() - 1, sample.log.len() + 3];
    for end in sample.frames.iter().chain([&sample.end]) {
        lengths.extend([end - 8, end - 1, *end, end + 1, end + 60, end + 64, end + 72]);
    }
    let mut cases = Vec::new();
    for len in lengths {
        let mut case = sample.case(&format!("length {len}"));
        case.log_mut().resize(len, 0);
        cases.push(case.clone());
        cases.push(case.without_lock());
    }
    let counts = compare(root.path(), &cases);
    assert_eq!(counts.len(), 3, "each verdict occurs: {counts:?}");
}

#[test]
fn other_files_beside_the_log_get_the_same_verdict() {
    if read_store::python_is_missing() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let sample = Sample::new(root.path());
    let elsewhere = Sample::new(&root.path().join("elsewhere"));
    let mut cases = Vec::new();
    let mut case = |name: &str, change: &dyn Fn(&mut Case)| {
        cases.push(sample.case(name));
        change(cases.last_mut().unwrap());
    };
    case("no log", &|case| case.log = None);
    case("nothing", &|case| (case.log, case.lock) = (None, None));
    case("an empty lock file", &|case| case.lock = Some(Vec::new()));
    case("a lock file that ends in a slot", &|case| case.lock.as_mut().unwrap().truncate(4_096 + 52));
    let (compacted_log, compacted_lock) = sample.compacted(root.path());
    case("a later lock file", &|case| case.lock = Some(compacted_lock.clone()));
    case("an earlier lock file", &|case| case.log = Some(compacted_log.clone()));
    case("an earlier lock file of a longer log", &|case| {
        // Without its extension, a compacted log is shorter than the one that the slots speak of.
        let len = 1 + compacted_log.iter().rposition(|byte| *byte != 0).unwrap();
        case.log = Some(compacted_log[..len.next_multiple_of(8)].to_vec());
    });
    case("another store's lock file", &|case| case.lock = Some(elsewhere.lock.clone()));

    let (header, _) = FileHeader::decode(&sample.log[..COPY_LEN]).unwrap();
    let last = *sample.frames.last().unwrap();
    let redo = redo::encode(&header, last as u64, &sample.log[last..sample.end]);
    let damaged = |case: &mut Case| case.log_mut()[last + 70] ^= 1;
    for with_lock in [true, false] {
        let mut behind = |name: &str, redo: Vec<u8>| {
            case(&format!("a damaged frame behind {name}"), &|case| {
                damaged(case);
                case.redo = Some(redo.clone());
                case.lock = case.lock.take().filter(|_| with_lock);
            });
        };
        behind("its redo file", redo.clone());
        behind("a redo file with more behind it", [redo.as_slice(), b"more"].concat());
        behind("a short redo file", redo[..redo.len() - 1].to_vec());
        behind("the redo file of another log", redo::encode(&elsewhere.header(), last as u64, &[0; 64]));
        for at in (0..redo.len()).step_by(11) {
            let mut flipped = redo.clone();
            flipped[at] ^= 4;
            behind(&format!("a redo file with a flipped bit in byte {at}"), flipped);
        }
    }
    let counts = compare(root.path(), &cases);
    assert_eq!(counts.len(), 3, "each verdict occurs: {counts:?}");
}

/// What no crash and no bad sector makes: a frame whose checksums hold and that breaks a rule.
#[test]
fn a_frame_that_breaks_a_rule_gets_the_same_verdict() {
    if read_store::python_is_missing() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let sample = Sample::new(root.path());
    let next = sample.next_header();
    assert_eq!((next.next_id, next.next_revision), (4, 7), "what the frames below are made for");
    let (put_7, put_8, put_number) = (record_of(7, "x"), record_of(8, "x"), record_of(7, "5"));
    let [put_7, put_8, put_number] = [&put_7, &put_8, &put_number].map(|bytes| put(bytes));
    let (delete, clear, counted) = (Operation::Delete("1"), Operation::Clear, sample.rows.len() as u64);
    let (sealed, noted) = (Operation::Sealed { rows: counted }, Operation::Recovered { cut_len: 8 });

    let commit = FrameHeader { next_revision: next.next_revision + 1, ..next };
    let double = FrameHeader { next_revision: next.next_revision + 2, ..next };
    let seal = FrameHeader { kind: Kind::Seal, ..next };
    let recovered = FrameHeader { kind: Kind::Recovered, next_id: next.next_id + 9, ..next };
    let base = FrameHeader { kind: Kind::Base, next_revision: 20, ..next };
    let frames: &[(&str, FrameHeader, &[&Operation<'_>])] = &[
        ("rows: a put", commit, &[&put_7]),
        ("rows: a put of the highest id", FrameHeader { next_id: 6, ..commit }, &[&put_number]),
        ("rows: a delete", commit, &[&delete]),
        ("rows: a delete of no row", commit, &[&Operation::Delete("absent")]),
        ("rows: a delete and a clear", double, &[&delete, &clear]),
        ("rows: a seal", seal, &[&sealed]),
        ("rows: a seal that raises the revision", FrameHeader { kind: Kind::Seal, ..double }, &[&sealed]),
        ("rows: a note of a recovery", recovered, &[&noted]),
        ("recovered: no operation", next, &[]),
        ("recovered: a seal without operation", seal, &[]),
        ("recovered: two seals in one", seal, &[&sealed, &sealed]),
        ("recovered: next revision too high", double, &[&clear]),
        ("recovered: next revision too low", next, &[&clear]),
        ("recovered: next revision falls", FrameHeader { next_revision: 1, ..seal }, &[&sealed]),
        ("recovered: next id falls", FrameHeader { next_id: 1, ..commit }, &[&clear]),
        ("recovered: a put of another revision", commit, &[&put_8]),
        ("recovered: a put of an id to come", FrameHeader { next_id: 5, ..commit }, &[&put_number]),
        ("recovered: a skipped number", FrameHeader { sequence: next.sequence + 1, ..commit }, &[&clear]),
        ("recovered: a broken chain", FrameHeader { chain: next.chain ^ 1, ..commit }, &[&clear]),
        ("recovered: a watermark that falls", FrameHeader { watermark: 8, ..commit }, &[&clear]),
        ("recovered: a watermark past the frame", FrameHeader { watermark: next.watermark + 8, ..commit }, &[&clear]),
        ("recovered: a watermark between places", FrameHeader { watermark: next.watermark - 1, ..commit }, &[&clear]),
        ("recovered: a base frame behind the seal", base, &[&put_7]),
        ("recovered: a clear in a seal", seal, &[&clear]),
        ("recovered: a seal in a commit", commit, &[&sealed]),
        ("recovered: a delete without an id", commit, &[&Operation::Delete("")]),
        ("error: a seal that counts too many", seal, &[&Operation::Sealed { rows: counted + 1 }]),
        ("error: a seal that counts too few", seal, &[&Operation::Sealed { rows: 0 }]),
    ];
    for (name, header, operations) in frames {
        let mut case = sample.case(name).without_lock();
        let frame = sample.frame(*header, operations);
        case.log_mut()[sample.end..][..frame.len()].copy_from_slice(&frame);
        let counts = compare(root.path(), &[case, sample.case("the sample itself")]);
        let verdict = name.split_once(':').unwrap().0;
        assert!(counts.contains_key(verdict), "{name}: {counts:?}");
    }
}

/// A small store, to be damaged.
struct Sample {
    log: Vec<u8>,
    lock: Vec<u8>,
    /// Where its frames begin.
    frames: Vec<usize>,
    /// Where the last of them ends; little of the extension is left after it.
    end: usize,
    last: (FrameHeader, u32),
    rows: Vec<Value>,
}

/// Its files, as they are to be tried.
#[derive(Clone)]
struct Case {
    name: String,
    log: Option<Vec<u8>>,
    lock: Option<Vec<u8>>,
    redo: Option<Vec<u8>>,
}

impl Sample {
    fn new(root: &Path) -> Self {
        let path = root.join("sample");
        fs::create_dir_all(root).unwrap();
        let store = LogStore::open(&path).unwrap();
        let names = ["ana", "bo", "cy"];
        store.save_tokens(&names.map(|name| fake().user_name(name).extra("scope", "all").build())).unwrap();
        store.save_token(&Token::builder().user_name("bo").access_token("fake-access-2").build()).unwrap();
        store.delete("3").unwrap();
        store.save_token(&fake().id("Zoë").build()).unwrap();
        let rows = rows(&store);
        store.close().unwrap();

        let (mut log, lock) = (fs::read(path.join(LOG)).unwrap(), fs::read(path.join(LOCK)).unwrap());
        let (mut frames, mut end, mut last) = (Vec::new(), usize::try_from(FRAMES_AT).unwrap(), None);
        while let Ok(header) = FrameHeader::decode(seed(&log), end as u64, &log[end..]) {
            frames.push(end);
            end += usize::try_from(header.0.frame_len()).unwrap();
            last = Some(header);
        }
        assert_eq!(frames.len(), 5, "a seal and four commits");
        log.truncate(end + 4_096);
        Self { log, lock, frames, end, last: last.unwrap(), rows }
    }

    fn case(&self, name: &str) -> Case {
        Case { name: name.into(), log: Some(self.log.clone()), lock: Some(self.lock.clone()), redo: None }
    }

    fn header(&self) -> FileHeader {
        FileHeader::decode(&self.log[..COPY_LEN]).unwrap().0
    }

    /// Its log and lock file after a compaction.
    fn compacted(&self, root: &Path) -> (Vec<u8>, Vec<u8>) {
        let path = self.case("compacted").write(&root.join("compacted"));
        let store = LogStore::open(&path).unwrap();
        store.compact().unwrap();
        store.close().unwrap();
        (fs::read(path.join(LOG)).unwrap(), fs::read(path.join(LOCK)).unwrap())
    }

    /// What follows the last frame, if it changes no counter.
    fn next_header(&self) -> FrameHeader {
        let (last, crc) = self.last;
        let link = Link::at(&last, crc);
        FrameHeader { chain: link.chain, sequence: link.sequence + 1, watermark: self.end as u64, ..last }
    }

    fn frame(&self, header: FrameHeader, operations: &[&Operation<'_>]) -> Vec<u8> {
        let mut frame = FrameBuilder::new(seed(&self.log), self.end as u64, 0);
        for operation in operations {
            frame.push(operation).unwrap();
        }
        frame.finish(header).0
    }
}

/// A record with an id and an access token.
fn record_of(revision: u8, id: &str) -> Vec<u8> {
    let text = format!("{id}fake");
    let id_len = u8::try_from(id.len()).unwrap();
    let numbers = [revision, 10, 20, id_len, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, id_len + 4];
    [&numbers, text.as_bytes()].concat()
}

fn put(record: &[u8]) -> Operation<'_> {
    Operation::Put(record::decode(record).unwrap())
}

fn seed(log: &[u8]) -> Seed {
    FileHeader::decode(&log[..COPY_LEN]).unwrap().0.seed()
}

impl Case {
    fn log_mut(&mut self) -> &mut Vec<u8> {
        self.log.as_mut().unwrap()
    }

    fn without_lock(mut self) -> Self {
        self.name += ", no lock file";
        self.lock = None;
        self
    }

    fn write(&self, path: &Path) -> PathBuf {
        fs::DirBuilder::new().mode(0o700).create(path).unwrap();
        for (name, content) in [(LOG, &self.log), (LOCK, &self.lock), (REDO, &self.redo)] {
            let Some(content) = content else { continue };
            fs::write(path.join(name), content).unwrap();
            fs::set_permissions(path.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        path.into()
    }
}

/// What comes of a store, with the rows that there are.
#[derive(Debug, PartialEq)]
enum Verdict {
    Rows(Vec<Value>),
    Recovered(Vec<Value>),
    Error,
}

/// Asks the program first, which changes nothing, and then us; returns how often each verdict was given.
fn compare(root: &Path, cases: &[Case]) -> BTreeMap<&'static str, usize> {
    const AT_ONCE: usize = 200; // starting the program takes longer than reading a store
    let root = tempfile::tempdir_in(root).unwrap();
    let mut counts = BTreeMap::new();
    for (chunk, cases) in cases.chunks(AT_ONCE).enumerate() {
        let path = |at| root.path().join(format!("{chunk}.{at}"));
        let copies: Vec<_> = cases.iter().enumerate().map(|(at, case)| case.write(&path(at))).collect();
        let answers = read_store::lines(&read_store::read_store(&copies));
        assert_eq!(answers.len(), cases.len());
        for ((case, copy), answer) in cases.iter().zip(&copies).zip(&answers) {
            let ours = our_verdict(copy);
            assert_eq!(their_verdict(answer), ours, "{}: {answer}", case.name);
            let name = match ours {
                Verdict::Rows(_) => "rows",
                Verdict::Recovered(_) => "recovered",
                Verdict::Error => "error",
            };
            *counts.entry(name).or_default() += 1;
        }
    }
    counts
}

fn our_verdict(path: &Path) -> Verdict {
    match Options::new().create(false).open(path) {
        Ok(store) if store.open_report().recovered.is_some() => Verdict::Recovered(rows(&store)),
        Ok(store) => Verdict::Rows(rows(&store)),
        Err(error) => {
            let kinds = [ErrorKind::Corrupt, ErrorKind::Copied, ErrorKind::NotAStore, ErrorKind::Unsupported];
            assert!(kinds.contains(&error.kind()), "{error}");
            Verdict::Error
        }
    }
}

fn their_verdict(answer: &Value) -> Verdict {
    let rows = || answer["rows"].as_array().unwrap().clone();
    if answer["error"] != json!(null) {
        Verdict::Error
    } else if answer["note"] != json!(null) {
        Verdict::Recovered(rows())
    } else {
        Verdict::Rows(rows())
    }
}
