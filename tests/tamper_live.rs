//! Whoever can write to the files of an encrypted store, and has no key, makes no handle that is open, and no salvage, believe
//! what nobody with the key has written; and what they change is mended when it is put right.
//!
//! Method: headers and operations are forged with right checksums, for those need no key, and the shared page and slots are
//! written to, in files of a store that is open or is to be salvaged.

mod sim;

use std::fs;
use std::ops::Range;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sim::Sim;
use tokcask::format::frame::FrameHeader;
use tokcask::format::header::{COPY_LEN, FRAMES_AT, FileHeader};
use tokcask::{EncryptionKey, ErrorKind, Key, LogStore, Options, ReadMode, SalvageReport, Token, TokenStore};
use tokcask::{open_on, salvage_on};

const STORE: &str = "/store";
const RESCUED: &str = "/rescued";
const HEADER_LEN: usize = 64;
/// Above what any log has room for, below the counters' end.
const FAR: u64 = 1 << 61;

fn key() -> EncryptionKey {
    EncryptionKey::from_bytes(&[7; EncryptionKey::LEN]).unwrap()
}

fn token(user: &str) -> Token {
    Token::builder().user_name(user).refresh_token(format!("fake-{user}")).build()
}

fn frames(log: &[u8]) -> Vec<Range<usize>> {
    let (header, _) = FileHeader::decode(&log[..COPY_LEN]).unwrap();
    let mut frames = Vec::new();
    let mut at = usize::try_from(FRAMES_AT).unwrap();
    while let Ok((frame, _)) = FrameHeader::decode(header.seed(), at as u64, &log[at..]) {
        let end = at + usize::try_from(frame.frame_len()).unwrap();
        frames.push(at..end);
        at = end;
    }
    frames
}

fn put(log: &mut [u8], at: usize, number: u64) {
    log[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

/// Makes the checksum of a frame's header right.
fn mend_header(log: &mut [u8], frame_at: usize) {
    let (header, _) = FileHeader::decode(&log[..COPY_LEN]).unwrap();
    let crc = header.seed().crc(frame_at as u64, &[&log[frame_at..frame_at + 60]]);
    log[frame_at + 60..frame_at + 64].copy_from_slice(&crc.to_le_bytes());
}

/// An encrypted store that is open, on real files, for its page is shared with whoever writes to them.
struct Open {
    directory: tempfile::TempDir,
    store: LogStore,
}

impl Open {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Self::open(directory.path()).unwrap();
        Self { directory, store }
    }

    fn open(directory: &Path) -> tokcask::Result<LogStore> {
        Options::encrypted(key()).background(false).open(directory.join("tokens"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join("tokens").join(name)
    }

    fn log(&self) -> Vec<u8> {
        fs::read(self.file("store.log")).unwrap()
    }

    fn write(&self, name: &str, bytes: &[u8], at: u64) {
        fs::OpenOptions::new().write(true).open(self.file(name)).unwrap().write_all_at(bytes, at).unwrap();
    }

    /// Sets a number of the page's present state, and says that it is another one. FORMAT.md, "store.lock".
    fn set_state(&self, words: &[(u64, u64)]) {
        let page = fs::read(self.file("store.lock")).unwrap();
        let version = u64::from_le_bytes(page[8..16].try_into().unwrap());
        let state = if version % 2 == 1 { 256 } else { 128 };
        for (word, value) in words {
            self.write("store.lock", &value.to_le_bytes(), state + 8 * word);
        }
        self.write("store.lock", &(version + 2).to_le_bytes(), 8);
    }
}

#[test]
fn nothing_is_chained_to_a_seal_that_nobody_with_the_key_made() {
    let open = Open::new();
    for user in ["ana", "bob", "cyd"] {
        open.store.save_token(&token(user)).unwrap();
    }
    let follower = Open::open(open.directory.path()).unwrap();
    follower.get(Key::UserName("ana")).unwrap().unwrap();
    open.store.compact().unwrap();
    let genuine = open.log();
    let mut log = genuine.clone();
    let seal = frames(&log).pop().unwrap();
    // Ids and revisions would be given again.
    put(&mut log, seal.start + 40, 1);
    put(&mut log, seal.start + 48, 1);
    mend_header(&mut log, seal.start);
    open.write("store.log", &log[seal.clone()], seal.start as u64);
    for _ in 0..2 {
        assert_eq!(follower.save_token(&token("mallory")).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(follower.get(Key::UserName("ana")).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    open.write("store.log", &genuine[seal.clone()], seal.start as u64);
    let saved = follower.save_token(&token("dan")).unwrap();
    assert_eq!((saved.id(), saved.revision()), (Some("4"), Some(4)));
}

#[test]
fn an_open_handle_follows_no_page_to_an_earlier_generation() {
    let open = Open::new();
    open.store.save_token(&token("revoked")).unwrap();
    let earlier = open.log();
    let end = frames(&earlier).pop().unwrap().end as u64;
    open.store.delete("1").unwrap();
    open.store.compact().unwrap();
    open.store.save_token(&token("ana")).unwrap();
    let other = open.file("other");
    fs::write(&other, &earlier).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&other, open.file("store.log")).unwrap();
    open.set_state(&[(0, 1), (1, end)]);
    assert_eq!(open.store.get_tokens().unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(open.store.save_token(&token("bob")).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn counters_from_outside_the_seal_never_end_the_store() {
    let open = Open::new();
    open.store.save_token(&token("ana")).unwrap();
    open.set_state(&[(3, 1 << 62)]);
    let saved = open.store.save_token(&token("bob")).unwrap();
    assert!(saved.id().unwrap().parse::<u64>().unwrap() < 1 << 46, "{saved:?}");

    // A header behind the end, with nothing behind it.
    let Open { directory, store } = open;
    store.close().unwrap();
    drop(store);
    let path = directory.path().join("tokens").join("store.log");
    let mut log = fs::read(&path).unwrap();
    let last = frames(&log).pop().unwrap();
    let (header, at) = (log[last.start..last.start + HEADER_LEN].to_vec(), last.end);
    log[at..at + HEADER_LEN].copy_from_slice(&header);
    put(&mut log, at + 40, 1 << 62);
    put(&mut log, at + 48, 1 << 62);
    mend_header(&mut log, at);
    fs::write(&path, &log).unwrap();
    fs::remove_file(directory.path().join("tokens").join("store.lock")).unwrap();
    let store = Open::open(directory.path()).unwrap();
    assert!(store.open_report().recovered.is_some());
    let saved = store.save_token(&token("cyd")).unwrap();
    assert!(saved.id().unwrap().parse::<u64>().unwrap() < 1 << 47 && saved.revision().unwrap() < 1 << 47, "{saved:?}");
    store.delete("1").unwrap();
    store.compact().unwrap();
}

/// A closed store of four rows, one frame each, to be salvaged; the last frames are of ana's new token and of cyd.
fn closed(options: &Options) -> (Sim, Vec<u8>, Vec<Range<usize>>) {
    closed_on(Sim::new(), options)
}

fn closed_on(sim: Sim, options: &Options) -> (Sim, Vec<u8>, Vec<Range<usize>>) {
    let store = open_on(options, Arc::new(sim.clone()), Path::new(STORE)).unwrap();
    for user in ["ana", "bob"] {
        store.save_token(&token(user)).unwrap();
    }
    store.save_token(&Token::builder().user_name("ana").refresh_token("fake-new").build()).unwrap();
    store.save_token(&token("cyd")).unwrap();
    store.close().unwrap();
    drop(store);
    let log = sim.content(Path::new(STORE), "store.log").unwrap();
    let frames = frames(&log);
    (sim, log, frames)
}

fn sealed() -> Options {
    Options::encrypted(key()).background(false).read_mode(ReadMode::Copy)
}

fn salvage(options: &Options, sim: &Sim, log: &[u8]) -> (Sim, SalvageReport) {
    let sim = sim.with_log(Path::new(STORE), log, true);
    let report = salvage_on(options, &sim, Path::new(STORE), Path::new(RESCUED)).unwrap();
    (sim, report)
}

#[test]
fn a_salvage_finds_whole_operations_of_an_encrypted_store_as_of_a_plain_one() {
    for options in [sealed(), Options::new().background(false).read_mode(ReadMode::Copy)] {
        let (sim, mut log, frames) = closed(&options);
        log[frames[3].start] ^= 1;
        let (sim, report) = salvage(&options, &sim, &log);
        assert_eq!(report.tokens, 3);
        let rescued = open_on(&options, Arc::new(sim), Path::new(RESCUED)).unwrap();
        let ana = rescued.get(Key::UserName("ana")).unwrap().unwrap();
        assert_eq!(ana.refresh_token().unwrap().expose_secret(), "fake-new");
    }
}

/// Plain operations in the place of a sealed frame.
#[test]
fn a_salvage_of_an_encrypted_store_believes_no_plain_operation() {
    let (plain, plain_log, plain_frames) = closed(&Options::new().background(false).read_mode(ReadMode::Copy));
    drop(plain);
    let first = plain_frames[1].start + HEADER_LEN;
    let put_len = 16 + u32::from_le_bytes(plain_log[first + 4..first + 8].try_into().unwrap()) as usize;
    let operation = |kind: u8, content: &[u8]| {
        let len = u32::try_from(content.len()).unwrap().to_le_bytes();
        [&[kind, 0, 0, 0][..], &len, &64_u32.to_le_bytes(), &[0; 4], content].concat()
    };
    for forged in [operation(3, b""), operation(2, b"2"), plain_log[first..first + put_len].to_vec()] {
        let (sim, mut log, frames) = closed(&sealed());
        let last = frames.last().unwrap();
        log[last.clone()].fill(0xEE);
        let at = last.start + HEADER_LEN;
        let (head, content) = forged.split_at(16);
        let (header, _) = FileHeader::decode(&log[..COPY_LEN]).unwrap();
        let crc = header.seed().crc(at as u64, &[&head[..12], content]);
        log[at..at + forged.len()].copy_from_slice(&forged);
        log[at + 12..at + 16].copy_from_slice(&crc.to_le_bytes());
        log[at + forged.len()..(at + forged.len()).next_multiple_of(8)].fill(0);
        let (_, report) = salvage(&sealed(), &sim, &log);
        assert_eq!((report.tokens, report.lost.len()), (2, 1), "{report:?}");
    }
}

/// A frame behind damage whose header was changed would hide that rows may be stale.
#[test]
fn a_salvage_of_an_encrypted_store_believes_no_changed_header() {
    let (sim, mut log, frames) = closed(&sealed());
    log[frames[3].clone()].fill(0xEE);
    let (_, honest) = salvage(&sealed(), &sim, &log);
    assert_eq!(honest.maybe_stale, ["1", "2"]);
    let last = frames.last().unwrap().start;
    // A base frame, with the next sequence number.
    log[last + 4] = 2;
    put(&mut log, last + 16, 4);
    put(&mut log, last + 40, FAR);
    mend_header(&mut log, last);
    let (sim, report) = salvage(&sealed(), &sim, &log);
    assert!(report.maybe_stale.len() >= 2 && !report.lost.is_empty(), "{report:?}");
    let rescued = open_on(&sealed(), Arc::new(sim), Path::new(RESCUED)).unwrap();
    assert!(rescued.stats().unwrap().next_id < 1 << 47);
}

/// No frame is good under a header that only one copy has. The key says that it is one of this store: it is not refused.
#[test]
fn a_salvage_of_an_encrypted_store_tells_that_all_frames_are_another_stores() {
    for theirs in [sealed(), Options::new().background(false).read_mode(ReadMode::Copy)] {
        let (sim, mut log, _) = closed(&sealed());
        let (_, others, _) = closed_on(Sim::with_seed(2), &theirs);
        log.truncate(others.len());
        let at = usize::try_from(FRAMES_AT).unwrap();
        log[at..].copy_from_slice(&others[at..]);
        log[COPY_LEN + 300] ^= 1;
        let sim = sim.with_log(Path::new(STORE), &log, false);
        let report = salvage_on(&sealed(), &sim, Path::new(STORE), Path::new(RESCUED)).unwrap();
        assert!(report.tokens == 0 && (!report.lost.is_empty() || report.torn_tail.is_some()), "{report:?}");
    }
}

/// What is left of the header is an earlier generation's, as the slots tell: the key to the contents is gone with the other.
#[test]
fn a_salvage_of_an_encrypted_store_needs_the_header_that_its_slots_know() {
    let (sim, earlier, _) = closed(&sealed());
    let store = open_on(&sealed(), Arc::new(sim.clone()), Path::new(STORE)).unwrap();
    store.compact().unwrap();
    store.close().unwrap();
    drop(store);
    let mut log = sim.content(Path::new(STORE), "store.log").unwrap();
    log[100] ^= 1;
    log[COPY_LEN..2 * COPY_LEN].copy_from_slice(&earlier[..COPY_LEN]);
    let sim = sim.with_log(Path::new(STORE), &log, true);
    let error = salvage_on(&sealed(), &sim, Path::new(STORE), Path::new(RESCUED)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(sim.names(Path::new(RESCUED)).is_empty());
}
